"""Attribute names as constants, and the table from old messaging names to current ones.

Names follow the OpenTelemetry semantic conventions 1.44.0; ``throughline.*`` are our own
where no convention exists. Nothing is imported here, so anything may import it.
"""

from __future__ import annotations

from typing import Final

# resource
SERVICE_NAME: Final = "service.name"
SERVICE_INSTANCE_ID: Final = "service.instance.id"
SERVICE_VERSION: Final = "service.version"
DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
DEPLOYMENT_ENVIRONMENT: Final = "deployment.environment"  # until 1.27

# messaging
MESSAGING_SYSTEM: Final = "messaging.system"
MESSAGING_OPERATION_NAME: Final = "messaging.operation.name"
MESSAGING_OPERATION_TYPE: Final = "messaging.operation.type"
MESSAGING_DESTINATION_NAME: Final = "messaging.destination.name"
MESSAGING_DESTINATION_TEMPLATE: Final = "messaging.destination.template"
MESSAGING_DESTINATION_TEMPORARY: Final = "messaging.destination.temporary"
MESSAGING_DESTINATION_ANONYMOUS: Final = "messaging.destination.anonymous"
MESSAGING_DESTINATION_PARTITION_ID: Final = "messaging.destination.partition.id"
MESSAGING_DESTINATION_SUBSCRIPTION_NAME: Final = "messaging.destination.subscription.name"
MESSAGING_CONSUMER_GROUP_NAME: Final = "messaging.consumer.group.name"
MESSAGING_CLIENT_ID: Final = "messaging.client.id"
MESSAGING_BATCH_MESSAGE_COUNT: Final = "messaging.batch.message_count"
MESSAGING_MESSAGE_ID: Final = "messaging.message.id"
MESSAGING_MESSAGE_CONVERSATION_ID: Final = "messaging.message.conversation_id"
MESSAGING_MESSAGE_BODY_SIZE: Final = "messaging.message.body.size"
MESSAGING_MESSAGE_ENVELOPE_SIZE: Final = "messaging.message.envelope.size"
MESSAGING_KAFKA_CLUSTER_ID: Final = "messaging.kafka.cluster.id"
MESSAGING_KAFKA_MESSAGE_KEY: Final = "messaging.kafka.message.key"
MESSAGING_KAFKA_MESSAGE_TOMBSTONE: Final = "messaging.kafka.message.tombstone"
MESSAGING_KAFKA_OFFSET: Final = "messaging.kafka.offset"
MESSAGING_RABBITMQ_ROUTING_KEY: Final = "messaging.rabbitmq.destination.routing_key"
MESSAGING_RABBITMQ_DELIVERY_TAG: Final = "messaging.rabbitmq.message.delivery_tag"
MESSAGING_ROCKETMQ_MESSAGE_KEYS: Final = "messaging.rocketmq.message.keys"
MESSAGING_PUBSUB_ORDERING_KEY: Final = "messaging.gcp_pubsub.message.ordering_key"
MESSAGING_PUBSUB_DELIVERY_ATTEMPT: Final = "messaging.gcp_pubsub.message.delivery_attempt"
MESSAGING_SERVICEBUS_DELIVERY_COUNT: Final = "messaging.servicebus.message.delivery_count"

# general
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
ERROR_TYPE: Final = "error.type"
EVENT_NAME: Final = "event.name"  # of log records before the field of that name existed
AWS_SQS_QUEUE_URL: Final = "aws.sqs.queue.url"

# HTTP, on the span of a request
HTTP_REQUEST_METHOD: Final = "http.request.method"
HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"
URL_PATH: Final = "url.path"
URL_SCHEME: Final = "url.scheme"

# CloudEvents
CLOUDEVENTS_EVENT_ID: Final = "cloudevents.event_id"
CLOUDEVENTS_EVENT_SOURCE: Final = "cloudevents.event_source"
CLOUDEVENTS_EVENT_SPEC_VERSION: Final = "cloudevents.event_spec_version"
CLOUDEVENTS_EVENT_SUBJECT: Final = "cloudevents.event_subject"
CLOUDEVENTS_EVENT_TYPE: Final = "cloudevents.event_type"

# Celery: names of OpenTelemetry's own instrumentation
CELERY_TASK_NAME: Final = "celery.task_name"

# our own, where no convention exists
ENTITY_PREFIX: Final = "throughline.entity."  # + type: the fact is about it (string or array)
CONTEXT_PREFIX: Final = "throughline.context."  # + type: it only came along in baggage
THROUGHLINE_EVENT_TIME: Final = "throughline.event.time"  # RFC 3339
THROUGHLINE_EVENT_SEQUENCE: Final = "throughline.event.sequence"
THROUGHLINE_CORRELATION_ID: Final = "throughline.event.correlation_id"
THROUGHLINE_CAUSATION_ID: Final = "throughline.event.causation_id"
THROUGHLINE_MESSAGE_ATTEMPT: Final = "throughline.message.attempt"  # 1 is the first delivery
THROUGHLINE_MESSAGE_KEY: Final = "throughline.message.key"  # for systems without a convention
THROUGHLINE_MESSAGE_HEADER_BYTES: Final = "throughline.message.header_bytes"
THROUGHLINE_MESSAGE_SCHEMA: Final = "throughline.message.schema"
THROUGHLINE_MESSAGE_ENTRY_ID: Final = "throughline.message.entry_id"  # that a stream gave it
THROUGHLINE_MESSAGE_REQUEUE: Final = "throughline.message.requeue"  # of a rejected message
THROUGHLINE_MESSAGE_SETTLED: Final = "throughline.message.settled"  # by which call, on a process span
THROUGHLINE_MESSAGE_SETTLED_AT: Final = "throughline.message.settled_at"  # RFC 3339
THROUGHLINE_MESSAGE_BODY: Final = "throughline.message.body"  # only where somebody asked for it
THROUGHLINE_DEAD_LETTER_REASON: Final = "throughline.dead_letter.reason"
THROUGHLINE_DEAD_LETTER_SOURCE: Final = "throughline.dead_letter.source"  # topic/partition/offset

# Every name a current one ever had, oldest conventions included (1.17 to 1.44).
ALIASES: Final[dict[str, str]] = {
    "messaging.destination": MESSAGING_DESTINATION_NAME,
    "messaging.destination_publish.name": MESSAGING_DESTINATION_NAME,
    "messaging.operation": MESSAGING_OPERATION_TYPE,
    "messaging.message_id": MESSAGING_MESSAGE_ID,
    "messaging.conversation_id": MESSAGING_MESSAGE_CONVERSATION_ID,
    "messaging.client_id": MESSAGING_CLIENT_ID,
    "messaging.consumer_id": MESSAGING_CLIENT_ID,
    "messaging.consumer.id": MESSAGING_CLIENT_ID,
    "messaging.kafka.client_id": MESSAGING_CLIENT_ID,
    "messaging.rocketmq.client_id": MESSAGING_CLIENT_ID,
    "messaging.kafka.partition": MESSAGING_DESTINATION_PARTITION_ID,
    "messaging.kafka.destination.partition": MESSAGING_DESTINATION_PARTITION_ID,
    "messaging.kafka.source.partition": MESSAGING_DESTINATION_PARTITION_ID,
    "messaging.kafka.consumer.group": MESSAGING_CONSUMER_GROUP_NAME,
    "messaging.kafka.consumer_group": MESSAGING_CONSUMER_GROUP_NAME,
    "messaging.rocketmq.client_group": MESSAGING_CONSUMER_GROUP_NAME,
    "messaging.eventhubs.consumer.group": MESSAGING_CONSUMER_GROUP_NAME,
    "messaging.servicebus.destination.subscription_name": MESSAGING_DESTINATION_SUBSCRIPTION_NAME,
    "messaging.kafka.message.offset": MESSAGING_KAFKA_OFFSET,
    "messaging.kafka.message_key": MESSAGING_KAFKA_MESSAGE_KEY,
    "messaging.kafka.tombstone": MESSAGING_KAFKA_MESSAGE_TOMBSTONE,
    "messaging.rabbitmq.routing_key": MESSAGING_RABBITMQ_ROUTING_KEY,
    "messaging.message_payload_size_bytes": MESSAGING_MESSAGE_BODY_SIZE,
    "messaging.message.payload_size_bytes": MESSAGING_MESSAGE_BODY_SIZE,
    "messaging.source.name": MESSAGING_DESTINATION_NAME,
    "net.peer.name": SERVER_ADDRESS,
    "net.peer.port": SERVER_PORT,
}

# Values of ``messaging.operation.type`` and its predecessor that have another word today.
OPERATION_TYPES: Final[dict[str, str]] = {
    "create": "create",
    "send": "send",
    "publish": "send",
    "receive": "receive",
    "process": "process",
    "deliver": "process",
    "settle": "settle",
}

# Where no type was sent: what the common values of ``messaging.operation.name`` mean.
OPERATION_NAMES: Final[dict[str, str]] = OPERATION_TYPES | {
    "produce": "send",
    "poll": "receive",
    "pull": "receive",
    "consume": "receive",
    "peek": "receive",
    "ack": "settle",
    "nack": "settle",
    "reject": "settle",
    "commit": "settle",
    "complete": "settle",
    "abandon": "settle",
    "delete": "settle",
    "modack": "settle",
}
