"""ArdiQ (Rust core, Redis streams), `enqueue_many`. https://ardiq.bytay.dev/guides/performance/

One process or two, each of 100 tasks at a time and 200 prefetched. Acknowledged when done; results expire (its defaults).
"""

import os

from ardiq import Ardiq
from marks import PAYLOAD, mark

CHUNK = 1_000

# 1.2.0: in one of three runs, Python ends with a segmentation fault once all work is done, without this.
CRASHES_AT_EXIT = True

app = Ardiq(redis_url=os.environ["PEER_URL"], queue_name="peer", concurrency=100, prefetch=200)


@app.task()
async def noop(payload: dict) -> None:
    mark()


def prepare():
    pass


async def enqueue(count):
    for start in range(0, count, CHUNK):
        await app.enqueue_many([noop.prepare(PAYLOAD) for _ in range(min(CHUNK, count - start))])


async def probe(probe):
    await probe.latencies_async(lambda: noop.enqueue(PAYLOAD))


def worker():
    return ["ardiq", "run", "with_ardiq:app", "--workers", os.environ["PEER_VARIANT"]]
