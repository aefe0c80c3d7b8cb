"""PgQueuer over asyncpg: one process, batches of 100. https://pgqueuer.readthedocs.io/en/latest/benchmark/

A finished job's row is deleted and a line of its log table kept (its default). uvloop, as its own benchmark has it.
"""

import contextlib
import json
import os
import sys

import asyncpg
from marks import PAYLOAD, mark
from pgqueuer import PgQueuer
from pgqueuer.db import AsyncpgDriver
from pgqueuer.queries import Queries

CHUNK = 1_000
BODY = json.dumps(PAYLOAD).encode()


@contextlib.asynccontextmanager
async def main():
    connection = await asyncpg.connect(os.environ["PEER_URL"])
    manager = PgQueuer(AsyncpgDriver(connection))

    @manager.entrypoint("noop")
    async def noop(job) -> None:
        json.loads(job.payload)
        mark()

    yield manager
    await connection.close()


async def prepare():
    connection = await asyncpg.connect(os.environ["PEER_URL"])
    await Queries(AsyncpgDriver(connection)).install()
    await connection.close()


async def enqueue(count):
    connection = await asyncpg.connect(os.environ["PEER_URL"])
    queries = Queries(AsyncpgDriver(connection))
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        await queries.enqueue(["noop"] * size, [BODY] * size, [0] * size)
    await connection.close()


async def probe(probe):
    connection = await asyncpg.connect(os.environ["PEER_URL"])
    queries = Queries(AsyncpgDriver(connection))
    await probe.latencies_async(lambda: queries.enqueue("noop", BODY))
    await connection.close()


def worker():
    # Its command `pgq run` (1.6.0) fails on its own --log-level; this is what it documents as the same without the command line.
    run = "pgqueuer.run('with_pgqueuer:main', batch_size=100)"
    return [sys.executable, "-c", f"import pgqueuer, uvloop; uvloop.run({run})"]
