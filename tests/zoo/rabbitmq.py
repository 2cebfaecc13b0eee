"""RabbitMQ's clients in the zoo: each way to take a message, and ours without ``instrument()``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.kit.transport import Transport
from tests.zoo import rabbitmq_stock
from tests.zoo.rabbitmq_stock import GROUPS
from tests.zoo.styles import Service, Style
from tracing import Options
from tracing.integrations import aio_pika, pika

Opened = Callable[[Service, str], AbstractContextManager[Transport]]


def _after(module: Any, made: type[brokers.Amqp], options: Options | None = None) -> Opened:
    @contextmanager
    def opened(service: Service, url: str) -> Iterator[Transport]:
        module.instrument(service.provider, options)
        try:
            transport = made(service, url)
            transport.groups = GROUPS
            yield transport
            transport.close()
        finally:
            module.uninstrument()

    return opened


@contextmanager
def _explicit(service: Service, url: str) -> Iterator[Transport]:
    pika.use(service.provider)
    transport = brokers.PikaExplicit(service, url)
    transport.groups = GROUPS
    yield transport
    transport.close()
    pika.use()


STYLES = (
    Style("pika", "rabbitmq", _explicit),
    Style("pika callbacks", "rabbitmq", _after(pika, brokers.Pika)),
    Style("pika callbacks by links", "rabbitmq", _after(pika, brokers.Pika, Options(parent=False))),
    Style("pika loop", "rabbitmq", _after(pika, brokers.PikaLoop)),
    Style("aio-pika callbacks", "rabbitmq", _after(aio_pika, brokers.AioPika)),
    Style("aio-pika loop", "rabbitmq", _after(aio_pika, brokers.AioPikaLoop)),
    Style("aio-pika get", "rabbitmq", _after(aio_pika, brokers.AioPikaGet)),
    Style("stock aio-pika", "rabbitmq", rabbitmq_stock.aio_pika, stock=True),
)
