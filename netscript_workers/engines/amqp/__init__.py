"""The amqp engine: RabbitMQ tells the workers where work is, a store of records says what it is."""

from netscript_workers.engines.amqp.address import Address, QueueType
from netscript_workers.engines.amqp.engine import AmqpEngine

__all__ = ["Address", "AmqpEngine", "QueueType"]
