"""Huey: Redis (blocking pop, its default) or a SQLite file. https://huey.readthedocs.io/en/latest/consumer.html

Two workers as threads, its default kind; no results are stored when a task returns None (its default). A job is taken off the
queue before it runs, so a killed worker loses it. SQLite with fsync, as ours has it (its default is without).
"""

import os

from huey import RedisHuey, SqliteHuey
from marks import PAYLOAD, mark

if os.environ["PEER_VARIANT"].startswith("redis"):
    huey = RedisHuey("peer", url=os.environ["PEER_URL"])
else:
    huey = SqliteHuey("peer", filename=os.environ["PEER_FILE"], fsync=True)


@huey.task()
def noop(payload):
    mark()


def prepare():
    pass


def enqueue(count):
    for _ in range(count):
        noop(PAYLOAD)


def probe(probe):
    probe.latencies(lambda: noop(PAYLOAD))


def worker():
    kind = "process" if os.environ["PEER_VARIANT"].endswith("processes") else "thread"
    return ["huey_consumer", "with_huey.huey", "-k", kind, "-w", "2", "-q"]
