"""Celery, on Redis or RabbitMQ. https://docs.celeryq.dev/en/stable/userguide/optimizing.html

No result backend (its default keeps nothing), acknowledged early (its default: a killed worker loses what it holds).
Prefetch 128: "if you have many short-duration tasks … 64 or 128 may make sense". One pooled producer for the bulk.
"""

import os

from celery import Celery
from marks import PAYLOAD, mark

app = Celery("peer", broker=os.environ["PEER_URL"])
app.conf.update(
    task_ignore_result=True,
    worker_prefetch_multiplier=128,
    broker_connection_retry_on_startup=True,
    worker_hijack_root_logger=False,
)


@app.task(name="noop")
def noop(payload):
    mark()


def prepare():
    pass


def enqueue(count):
    with app.producer_pool.acquire(block=True) as producer:
        for _ in range(count):
            noop.apply_async((PAYLOAD,), producer=producer)


def probe(probe):
    probe.latencies(lambda: noop.delay(PAYLOAD))


def worker():
    quiet = ["--without-gossip", "--without-mingle", "--loglevel", "ERROR"]
    size = {"prefork": ["-P", "prefork", "-c", "2"], "threads": ["-P", "threads", "-c", "10"]}
    return ["celery", "-A", "with_celery", "worker", *quiet, *size[os.environ["PEER_VARIANT"]]]
