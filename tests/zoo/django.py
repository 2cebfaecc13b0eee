"""Orders that come in by HTTP: Django on WSGI and ASGI, and the stock package, each before one of the clients."""

from __future__ import annotations

from tests.tracing.integrations import broker_transports as brokers
from tests.tracing.integrations import kafka_transports as kafka
from tests.zoo import rabbitmq
from tests.zoo.styles import Style, using
from tracing.integrations import pika

_STOCK_PIKA = next(style for style in rabbitmq.STYLES if style.name == "stock pika")

STYLES = (
    Style("Django on WSGI to pika", "rabbitmq", rabbitmq.after(pika, brokers.Pika), door="wsgi"),
    Style("Django on ASGI to aiokafka", "kafka", using(kafka.Aiokafka), door="asgi"),
    Style("stock Django to stock pika", "rabbitmq", _STOCK_PIKA.opened, stock=True, door="wsgi"),
)
