"""Oban for Python: one process, 100 jobs at a time. https://oban.pro/docs/py

`enqueue_many` for the bulk. A finished job's row stays (its default). Acknowledging in bulk is a part of Oban Pro.
"""

import os
import subprocess

import psycopg_pool
from marks import PAYLOAD, mark
from oban import Oban
from oban import worker as job_class

CHUNK = 1_000


@job_class(queue="default")
class Noop:
    async def process(self, job):
        mark()


def prepare():
    subprocess.run(["oban", "install", "--dsn", os.environ["PEER_URL"]], check=True, timeout=60)


async def enqueue(count):
    async with psycopg_pool.AsyncConnectionPool(os.environ["PEER_URL"], min_size=1) as pool:
        oban = Oban(pool=pool)
        for start in range(0, count, CHUNK):
            await oban.enqueue_many(
                [Noop.new({"payload": PAYLOAD}) for _ in range(min(CHUNK, count - start))]
            )


async def probe(probe):
    async with psycopg_pool.AsyncConnectionPool(os.environ["PEER_URL"], min_size=1) as pool:
        oban = Oban(pool=pool)
        await probe.latencies_async(lambda: oban.enqueue(Noop.new({"payload": PAYLOAD})))


def worker():
    where = ["--dsn", os.environ["PEER_URL"], "--queues", "default:100"]
    return ["oban", "start", *where, "--cron-modules", "with_oban", "--log-level", "error"]
