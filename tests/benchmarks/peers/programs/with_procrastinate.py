"""Procrastinate over psycopg: one process, 100 jobs at a time. https://procrastinate.readthedocs.io/

`batch_defer` for the bulk. A finished job's row stays (its default), and waking is LISTEN/NOTIFY (its default).
"""

import os

from marks import PAYLOAD, mark
from procrastinate import App, PsycopgConnector

CHUNK = 1_000

app = App(connector=PsycopgConnector(conninfo=os.environ["PEER_URL"]), import_paths=["with_procrastinate"])


@app.task(name="noop")
async def noop(payload):
    mark()


async def prepare():
    async with app.open_async():
        await app.schema_manager.apply_schema_async()


async def enqueue(count):
    async with app.open_async():
        for start in range(0, count, CHUNK):
            await noop.batch_defer_async(*[{"payload": PAYLOAD}] * min(CHUNK, count - start))


async def probe(probe):
    async with app.open_async():
        await probe.latencies_async(lambda: noop.defer_async(payload=PAYLOAD))


def worker():
    return ["procrastinate", "--app", "with_procrastinate.app", "worker", "--concurrency", "100"]
