"""Dramatiq, on Redis or RabbitMQ: two processes of eight threads (its default for two cores). https://dramatiq.io/

The prefetch is raised from two messages a thread to 200 through its environment variable. No results (its default).
"""

import os

os.environ.setdefault("dramatiq_queue_prefetch", "200")

import dramatiq
from marks import PAYLOAD, mark

if os.environ["PEER_VARIANT"] == "redis":
    from dramatiq.brokers.redis import RedisBroker

    broker = RedisBroker(url=os.environ["PEER_URL"])
else:
    from dramatiq.brokers.rabbitmq import RabbitmqBroker

    broker = RabbitmqBroker(url=os.environ["PEER_URL"])
dramatiq.set_broker(broker)


@dramatiq.actor(actor_name="noop", queue_name="dramatiq-peer")
def noop(payload):
    mark()


def prepare():
    pass


def enqueue(count):
    for _ in range(count):
        noop.send(PAYLOAD)


def probe(probe):
    probe.latencies(lambda: noop.send(PAYLOAD))


def worker():
    return ["dramatiq", "with_dramatiq", "--processes", "2", "--threads", "8"]
