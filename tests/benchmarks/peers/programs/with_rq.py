"""RQ: `enqueue_many` in a pipeline, a pool of two workers. https://python-rq.org/docs/workers/

`fork` is its default worker, a process for each job; `simple` is SimpleWorker, which runs jobs in the worker itself.
Its documented advice for throughput is to preload the modules, which importing this file does. Results live 500 s.
"""

import os

from marks import PAYLOAD, mark
from redis import Redis
from rq import Queue

CHUNK = 1_000


def noop(payload):
    mark()


def _queue():
    return Queue("peer", connection=Redis.from_url(os.environ["PEER_URL"]))


def prepare():
    pass


def enqueue(count):
    queue = _queue()
    for start in range(0, count, CHUNK):
        size = min(CHUNK, count - start)
        queue.enqueue_many([Queue.prepare_data("with_rq.noop", args=(PAYLOAD,)) for _ in range(size)])


def probe(probe):
    queue = _queue()
    probe.latencies(lambda: queue.enqueue("with_rq.noop", PAYLOAD))


def worker():
    kind = {"fork": "rq.worker.Worker", "simple": "rq.worker.SimpleWorker"}[os.environ["PEER_VARIANT"]]
    return ["rq", "worker-pool", "-u", os.environ["PEER_URL"], "-q", "-n", "2", "-w", kind, "peer"]
