"""The five services at work, over a Kafka broker inside this process.

librdkafka's mock cluster speaks the real protocol on loopback ports, so producers, consumers,
groups and headers are the real ones; ``tracing`` instruments them as any service would.
"""

from __future__ import annotations

import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any

import orjson
from opentelemetry import trace
from opentelemetry.trace import SpanKind

from examples.matchday.record import Node, posted
from examples.matchday.send import PER_REQUEST, Door, NotTakenError
from examples.matchday.story import ENVIRONMENT, VERSIONS
from tracing import configure, envelope, propagation
from tracing.envelope import Envelope
from tracing.integrations.confluent_kafka import Consumer, Producer

TOPICS = ("match.events", "bets", "settlements", "wallet.payouts")
DEAD_LETTERS = "live.dlq"
_QUIET = {"log_level": 3}


class Broker:
    """A mock cluster in this process; ``address`` is what clients connect to."""

    def __init__(self) -> None:
        """Start it and create the topics."""
        self._owner = Producer({"test.mock.num.brokers": 1, **_QUIET})
        for topic in (*TOPICS, DEAD_LETTERS):
            self._owner.list_topics(topic, timeout=10)
        self.address = ",".join(
            f"{broker.host}:{broker.port}" for broker in self._owner.list_topics(timeout=10).brokers.values()
        )


class Mirror(threading.Thread):
    """Posts what the services announce as CloudEvents, once a second; drops when the receiver is away."""

    def __init__(self, endpoint: str) -> None:
        """Nothing is posted before ``start``."""
        super().__init__(name="events", daemon=True)
        self._door, self._ended = Door(endpoint), threading.Event()
        self._waiting: deque[dict[str, Any]] = deque(maxlen=10_000)

    def add(self, event: dict[str, Any]) -> None:
        """Post this one soon."""
        self._waiting.append(event)

    def run(self) -> None:
        """Until ``stop``, and then what is left."""
        while not self._ended.wait(1.0):
            self._post()
        self._post()

    def stop(self) -> None:
        """Post the rest and end."""
        self._ended.set()
        self.join(timeout=10)

    def _post(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(len(self._waiting), PER_REQUEST))]
        if batch:
            try:
                self._door.events(batch)
            except NotTakenError as problem:
                print(f"{len(batch)} events were not taken: {problem}", file=sys.stderr)


class Service(threading.Thread):
    """One service: a consumer group of its own name, a producer, a provider, and a handler per topic."""

    def __init__(self, name: str, broker: Broker, mirror: Mirror, endpoint: str) -> None:
        """Handlers and tickers are added before ``start``."""
        super().__init__(name=name, daemon=True)
        self.node = Node(name)
        self.provider = configure(
            name,
            version=VERSIONS[name],
            instance=self.node.instance,
            environment=ENVIRONMENT,
            endpoint=endpoint,
            set_global=False,
        )
        self.tracer = trace.get_tracer("examples.matchday", tracer_provider=self.provider)
        self.stopping = threading.Event()
        self._address, self._mirror = broker.address, mirror
        servers = {"bootstrap.servers": broker.address, "client.id": name, **_QUIET}
        self.producer = Producer({**servers, "linger.ms": 5}, provider=self.provider)
        self._handlers: dict[str, Callable[[dict[str, Any]], None]] = {}
        self._tick: tuple[float, Callable[[], None]] | None = None

    def on(self, topic: str, handler: Callable[[dict[str, Any]], None]) -> None:
        """Handle every message of the topic; the handler gets its JSON body."""
        self._handlers[topic] = handler

    def every(self, seconds: float, work: Callable[[], None]) -> None:
        """Do this again and again; for a service that starts things."""
        self._tick = seconds, work

    def publish(
        self, topic: str, key: str, kind: str, subject: str, data: dict[str, Any], **more: Any
    ) -> None:
        """Announce an event and send it as a message, following from what is being handled."""
        event = self.announce(kind, subject, data, **more)
        self.producer.produce(topic, orjson.dumps(data), key=key, event=event)

    def announce(self, kind: str, subject: str, data: dict[str, Any], **more: Any) -> Envelope:
        """Make an event known to Throughline without sending it to anybody."""
        here = trace.get_current_span().get_span_context()
        extensions = {"traceparent": propagation.format_traceparent(here), **more.pop("extensions", {})}
        event = envelope.new(kind, f"/{self.name}", subject=subject, extensions=extensions, **more)
        self._mirror.add(posted(event, self.node, data))
        return event

    def database(self, operation: str, table: str, seconds: float) -> None:
        """A statement that takes a while."""
        named = {"db.system.name": "postgresql", "db.operation.name": operation, "db.collection.name": table}
        with self.tracer.start_as_current_span(
            f"{operation} {table}", kind=SpanKind.CLIENT, attributes=named
        ):
            self.stopping.wait(seconds)

    def run(self) -> None:
        """Consume and tick until ``stop``."""
        consumer = self._consumer() if self._handlers else None
        due = time.monotonic()
        while not self.stopping.is_set():
            if self._tick and time.monotonic() >= due:
                due += self._tick[0]
                self._tick[1]()
            self.producer.poll(0)
            if consumer is None:
                self.stopping.wait(max(0.0, min(0.1, due - time.monotonic())))
            elif (message := consumer.poll(0.1)) is not None and message.error() is None:
                self.handle(consumer, message)
        self.producer.flush(5)
        if consumer is not None:
            consumer.close()
        self.provider.shutdown()

    def handle(self, consumer: Consumer, message: Any) -> None:
        """Handle one message; what cannot be handled goes to the dead letters and its span says why."""
        try:
            with consumer.process(message):
                self._try(message)
        except Exception as error:  # noqa: BLE001  one bad message must not end the service
            print(f"{self.name}: {message.topic()} not handled: {error!r}", file=sys.stderr)

    def _try(self, message: Any) -> None:
        try:
            self._handlers[message.topic()](orjson.loads(message.value() or b"null"))
        except Exception as error:
            self.producer.dead_letter(DEAD_LETTERS, message, error=error)
            raise

    def stop(self) -> None:
        """End after the message at hand, with everything sent."""
        self.stopping.set()
        self.join(timeout=20)

    def _consumer(self) -> Consumer:
        settings = {
            "bootstrap.servers": self._address,
            "client.id": self.name,
            "group.id": self.name,
            "auto.offset.reset": "earliest",
            **_QUIET,
        }
        consumer = Consumer(settings, provider=self.provider)
        consumer.subscribe(list(self._handlers))
        return consumer
