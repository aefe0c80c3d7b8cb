"""SAQ, on Redis or PostgreSQL: one process or two, 100 jobs at a time in each. https://saq-py.readthedocs.io/

uvloop is used when it is there, which it is. A finished job is kept for ten minutes (its default).
"""

import asyncio
import os

from marks import PAYLOAD, mark
from saq import Queue

AT_ONCE = 100

queue = Queue.from_url(os.environ["PEER_URL"], name="peer")


async def noop(ctx, *, payload):
    mark()


settings = {"queue": queue, "functions": [noop], "concurrency": 100}


async def prepare():
    await queue.connect()
    await queue.disconnect()


async def enqueue(count):
    await queue.connect()
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        await asyncio.gather(*(queue.enqueue("noop", payload=PAYLOAD) for _ in range(size)))
    await queue.disconnect()


async def probe(probe):
    await queue.connect()
    await probe.latencies_async(lambda: queue.enqueue("noop", payload=PAYLOAD))
    await queue.disconnect()


def worker():
    return ["saq", "with_saq.settings", "--quiet", "--workers", os.environ["PEER_VARIANT"]]
