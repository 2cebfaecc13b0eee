"""RabbitMQ's clients in the zoo: each way to take a message, ours without ``instrument()``, and the stock packages."""

from __future__ import annotations

from typing import Any

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.kit.transport import Transport
from tests.zoo.story import GROUPS
from tests.zoo.styles import Made, Opened, SentOnAsIs, Style, stock, using
from tracing import Options
from tracing.integrations import aio_pika, pika


class _StockPika(SentOnAsIs, brokers.Pika):
    pass


class _StockAioPika(SentOnAsIs, brokers.AioPika):
    pass


def grouped(made: type[brokers.Amqp]) -> Made:
    """With a queue for each group of the story."""

    def make(service: Any, url: str) -> Transport:
        transport = made(service, url)
        transport.groups = GROUPS
        return transport

    return make


def after(module: Any, made: type[brokers.Amqp], options: Options | None = None) -> Opened:
    """After our ``instrument()``."""
    return using(grouped(made), lambda provider: module.instrument(provider, options), module.uninstrument)


STYLES = (
    Style("pika", "rabbitmq", using(grouped(brokers.PikaExplicit), pika.use, pika.use)),
    Style("pika callbacks", "rabbitmq", after(pika, brokers.Pika)),
    Style("pika callbacks by links", "rabbitmq", after(pika, brokers.Pika, Options(parent=False))),
    Style("pika loop", "rabbitmq", after(pika, brokers.PikaLoop)),
    Style("aio-pika callbacks", "rabbitmq", after(aio_pika, brokers.AioPika)),
    Style("aio-pika loop", "rabbitmq", after(aio_pika, brokers.AioPikaLoop)),
    Style("aio-pika get", "rabbitmq", after(aio_pika, brokers.AioPikaGet)),
    Style("stock pika", "rabbitmq", stock("pika:PikaInstrumentor", grouped(_StockPika)), stock=True),
    Style(
        "stock aio-pika",
        "rabbitmq",
        stock("aio_pika:AioPikaInstrumentor", grouped(_StockAioPika)),
        stock=True,
    ),
)
