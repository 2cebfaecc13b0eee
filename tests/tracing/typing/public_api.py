"""How a service uses the library, for mypy to read: never run."""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import assert_type

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import Span

from tracing import Envelope, Options, configure, entity, envelope, flush, losses
from tracing.delivery import Delivery
from tracing.headers import Headers
from tracing.integrations import aiokafka, confluent_kafka, kafka_python
from tracing.spans import Messaging, Processing, Sending
from tracing.testing import Capture

assert_type(configure("orders", endpoint="http://127.0.0.1:4318", headers={"a": "b"}), TracerProvider)
assert_type(flush(), None)
assert_type(losses(), dict[str, int])
with entity("order", 7, customer="ann"):
    pass

event = envelope.new("OrderPlaced", "/orders", subject="order/7")
assert_type(event, Envelope)
assert_type(envelope.read({"ce_id": b"1"}), Envelope | None)
headers = Headers([("a", b"1"), ("b", None)])
assert_type(headers.get("a"), str | None)
assert_type(headers.pairs(), list[tuple[str, bytes | None]])

spans = Messaging("kafka", options=Options(parent=False, body=100, redact=str.upper), server_port=9092)
assert_type(spans.send("orders", headers, key=b"7", event=event), Sending)
processing = spans.process(Delivery(destination="orders", headers=headers))
assert_type(processing, Processing)
with processing as span:
    assert_type(span, Span)
around: AbstractContextManager[Span] = processing

for module in (confluent_kafka, kafka_python, aiokafka):
    module.instrument(provider=configure(), options=Options())
    module.uninstrument()
producer = confluent_kafka.Producer({"bootstrap.servers": ""}, options=Options())
assert_type(producer.produce("orders", b"", key="7", event=event), None)
consumer = confluent_kafka.Consumer({}, provider=configure())
with consumer.process(object(), attempt=2) as span:
    assert_type(span, Span)
with confluent_kafka.process(consumer, object()) as span:
    assert_type(span, Span)

capture = Capture()
assert_type(capture.provider, TracerProvider)
found: Mapping[str, object] = capture.attributes("send orders")
spans.send(b"orders", headers)  # type: ignore[arg-type]
configure(endpoint=4318)  # type: ignore[arg-type]
