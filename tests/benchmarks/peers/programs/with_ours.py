"""netscript-workers through its own command and `Client`: one worker process, records, attempts and history kept (its default).

`in-process` has 100 slots; `web-worker` two warm slots, each a process of its own.
"""

import asyncio
import os
import sys
from pathlib import Path

from marks import PAYLOAD

from netscript_workers import Client, config, wiring
from netscript_workers.domain.execution import Status
from netscript_workers.ports.history import HistoryQuery

CHUNK = 10_000
CONFIG = Path(os.environ["PEER_DIRECTORY"]) / "config.toml"
JOB = """\
from marks import mark
from netscript_workers import job


@job("noop")
async def noop(ctx, payload: dict):
    mark()
"""


def prepare():
    jobs = CONFIG.parent / "workers" / "jobs"
    jobs.mkdir(parents=True)
    (jobs / "measured.py").write_text(JOB)
    engine, mode = os.environ["PEER_VARIANT"].split()
    slots = {"in-process": 100, "web-worker": 2}[mode]
    key = {"redis": "redis_url", "postgres": "database_url", "amqp": "amqp_url", "deno-kv": ""}[engine]
    lines = [f'queue_provider = "{engine}"', f"concurrency = {slots}", f'runtime = "{mode}"', "[connections]"]
    if key:
        lines.append(f'{key} = "{os.environ["PEER_URL"]}"')
    if "PEER_STORE_URL" in os.environ:
        lines.append(f'redis_url = "{os.environ["PEER_STORE_URL"]}"')
    CONFIG.write_text("\n".join(lines) + "\n")


async def enqueue(count):
    async with Client(CONFIG) as client:
        for start in range(0, count, CHUNK):
            await client.trigger_many("noop", [PAYLOAD] * min(CHUNK, count - start))


async def probe(probe):
    async with Client(CONFIG) as client:
        await probe.latencies_async(lambda: client.trigger("noop", PAYLOAD))


async def verify(count):
    """Fail unless all have ended, none failed, and the latest are on record: no figure without the promise."""
    settings = config.load(config.LoadOptions(path=CONFIG)).settings
    async with wiring.open_engine(settings) as engine, asyncio.timeout(20):
        while any(topic.queued or topic.running or topic.pending for topic in await engine.depths()):
            await asyncio.sleep(0.05)
        done = await engine.find(HistoryQuery(target="noop", status=Status.COMPLETED, limit=count))
        if await engine.count_dead() or len(done) != count:
            raise SystemExit(f"{len(done)} of {count} runs are recorded as completed")


def worker():
    command = str(Path(sys.executable).parent / "workers")
    return [command, "combined", "--config", str(CONFIG), "--log-level", "warning"]
