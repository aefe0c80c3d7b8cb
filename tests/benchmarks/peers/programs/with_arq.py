"""arq: one process (it has no more), 100 jobs at a time. https://arq-docs.helpmanuel.com/

It finds work by polling. `default` asks every 0.5 s, its default; `eager` every 10 ms, which buys throughput and latency with
processor time while idle. Results are kept for an hour (its default). uvloop is installed through the policy, as it advises.
"""

import asyncio
import os

from arq import create_pool
from arq.connections import RedisSettings
from marks import PAYLOAD, mark

AT_ONCE = 100


async def noop(ctx, payload):
    mark()


class WorkerSettings:
    functions = (noop,)
    redis_settings = RedisSettings.from_dsn(os.environ["PEER_URL"])
    max_jobs = 100
    poll_delay = {"default": 0.5, "eager": 0.01}[os.environ["PEER_VARIANT"]]


def prepare():
    pass


async def enqueue(count):
    pool = await create_pool(WorkerSettings.redis_settings)
    for start in range(0, count, AT_ONCE):
        size = min(AT_ONCE, count - start)
        await asyncio.gather(*(pool.enqueue_job("noop", PAYLOAD) for _ in range(size)))
    await pool.aclose()


async def probe(probe):
    pool = await create_pool(WorkerSettings.redis_settings)
    await probe.latencies_async(lambda: pool.enqueue_job("noop", PAYLOAD))
    await pool.aclose()


def worker():
    return ["arq", "with_arq.WorkerSettings"]
