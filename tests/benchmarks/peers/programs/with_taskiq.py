"""Taskiq: Redis streams (acknowledged when done) or RabbitMQ through aio-pika. https://taskiq-python.github.io/guide/cli.html

Two worker processes (its default), uvloop, 100 tasks at a time in each (its default), 200 prefetched; 100 messages a read of
the stream (its default), `qos` 200 on RabbitMQ. No result backend (its default).
"""

import asyncio
import os

from marks import PAYLOAD, mark

if os.environ["PEER_VARIANT"] == "redis":
    from taskiq_redis import RedisStreamBroker

    # From the stream's beginning: what was enqueued before the first worker came is meant to run.
    broker = RedisStreamBroker(os.environ["PEER_URL"], queue_name="taskiq-peer", consumer_id="0")
else:
    from taskiq_aio_pika import AioPikaBroker

    broker = AioPikaBroker(os.environ["PEER_URL"], qos=200)

AT_ONCE = 100


@broker.task(task_name="noop")
async def noop(payload: dict) -> None:
    mark()


def prepare():
    pass


async def enqueue(count):
    await broker.startup()
    for start in range(0, count, AT_ONCE):
        await asyncio.gather(*(noop.kiq(PAYLOAD) for _ in range(min(AT_ONCE, count - start))))
    await broker.shutdown()


async def probe(probe):
    await broker.startup()
    await probe.latencies_async(lambda: noop.kiq(PAYLOAD))
    await broker.shutdown()


def worker():
    size = ["--workers", "2", "--max-async-tasks", "100", "--max-prefetch", "200"]
    return ["taskiq", "worker", *size, "--log-level", "ERROR", "with_taskiq:broker"]
