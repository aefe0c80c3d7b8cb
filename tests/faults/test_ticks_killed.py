"""Schedulers and servers killed in the middle of enqueueing ticks: each tick is noted and enqueued, or neither."""

import asyncio
import collections
import contextlib
import json
import random
import signal
import subprocess
import sys
import time
import uuid

import pytest

from contracts.amqp import amqp_engines
from contracts.engines import BOUND_MS, new
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.schedules import Tick
from support import redis_queues

pytestmark = [pytest.mark.faults, pytest.mark.timeout(180)]
TARGETS = [f"t{number:02}" for number in range(40)]

SCHEDULER = """
import asyncio, json, sys, uuid
from pathlib import Path
from netscript_workers.domain.execution import Concept, NewExecution
from netscript_workers.engines.amqp import Address, AmqpEngine
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.ports.schedules import Tick

def engine_of(kind, place, name, broker):
    if kind == "deno-kv":
        store = DenoKvEngine(Path(place), name)
    else:
        store = {"redis": RedisEngine, "postgres": PostgresEngine}[kind](place, name)
    return AmqpEngine(store, Address.parse(broker), name) if broker else store

def request(target, at):
    payload = json.dumps({"at": at}).encode()
    return NewExecution(id=f"{target}-{at}-{uuid.uuid4()}", concept=Concept.JOB, target=target, payload=payload)

async def main(kind, place, name, broker, targets):
    engine = engine_of(kind, place, name, broker)
    await engine.open()
    last = dict((await engine.standing(targets)).last)
    print("scheduling", flush=True)
    while True:
        ticks = [Tick(target, last[target] + 1, request(target, last[target] + 1)) for target in targets]
        await engine.enqueue_ticks(ticks)
        last = {tick.target: tick.at for tick in ticks}

asyncio.run(main(*sys.argv[1:5], sys.argv[5].split(",")))
"""


@contextlib.contextmanager
def schedulers(count, *place):
    """Have processes that enqueue one moment after the other, each for all targets in one call, till they are killed."""
    argv = [sys.executable, "-c", SCHEDULER, *place, ",".join(TARGETS)]
    children = [subprocess.Popen(argv, stdout=subprocess.PIPE, text=True) for _ in range(count)]
    try:
        for child in children:
            assert child.stdout.readline() == "scheduling\n"
        yield
    finally:
        for child in children:
            child.kill()
            child.wait()
            child.stdout.close()


async def settled(engine):
    """Return book and records of one moment: what a killed process has sent may still be committed by the server."""
    async with asyncio.timeout(BOUND_MS / 1000):
        while True:
            before = dict((await engine.standing(TARGETS)).last)
            records = await engine.find(HistoryQuery(limit=None))
            if dict((await engine.standing(TARGETS)).last) == before:
                return before, records


async def balance(engine, began):
    """Assert that the executions of every target are those of all moments from its beginning to its last tick, each once."""
    last, records = await settled(engine)
    moments = collections.defaultdict(list)
    for record in records:
        moments[record.target].append(json.loads(record.payload)["at"])
    for target in TARGETS:
        assert sorted(moments[target]) == list(range(began[target] + 1, last[target] + 1)), target
    return sum(last[target] - began[target] for target in TARGETS)


@pytest.fixture(params=["deno-kv", "redis", "postgres", "amqp-deno-kv", "amqp-redis", "amqp-postgres"])
async def served(request, tmp_path):
    """An engine, and what tells another process to open the same."""
    kind = request.param.removeprefix("amqp-")
    async with contextlib.AsyncExitStack() as stack:
        if kind == "redis":
            own = stack.enter_context(redis_queues.own(request.getfixturevalue("redis_server")))
            store, place, name = own.engine(), own.url, own.name
        elif kind == "postgres":
            place, name = request.getfixturevalue("postgres_server").url, f"ticks-{uuid.uuid4()}"
            store = PostgresEngine(place, name)
        else:
            place, name = str(tmp_path / "queue.db"), "jobs"
            store = DenoKvEngine(tmp_path / "queue.db", name)
        if request.param.startswith("amqp"):
            broker = request.getfixturevalue("rabbitmq_server")
            name = name if name != "jobs" else f"ticks-{uuid.uuid4()}"
            if kind == "deno-kv":
                store = DenoKvEngine(tmp_path / "queue.db", name)
            (engine,) = await stack.enter_async_context(amqp_engines(broker, store, name=name))
            yield engine, (kind, place, name, broker.url)
        else:
            await store.open()
            stack.push_async_callback(store.close)
            yield store, (kind, place, name, "")


async def test_schedulers_killed_in_the_middle_neither_lose_nor_double_a_tick(served):
    engine, place = served
    began = dict((await engine.standing(TARGETS)).last)
    chance = random.Random(5)
    made = 0
    for _ in range(4):
        with schedulers(2, *place):
            before = made
            deadline = time.monotonic() + BOUND_MS / 1000
            while made < before + 5 * len(TARGETS) and time.monotonic() < deadline:
                await asyncio.sleep(chance.random() / 10)
                last = (await engine.standing(TARGETS)).last
                made = sum(last[target] - began[target] for target in TARGETS)
        assert made > before
        assert await balance(engine, began) >= made


KILLED_BETWEEN = """
import asyncio, os, signal, sys
from pathlib import Path
from netscript_workers.domain.execution import Concept, NewExecution
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.ports.schedules import Tick

async def main(path):
    engine = DenoKvEngine(Path(path))
    await engine.open()
    at = (await engine.standing(["mail"])).last["mail"] + 1
    store = engine._enqueue

    def die(tx, *rest):
        if sys.argv[2] == "after":
            store(tx, *rest)
        os.kill(os.getpid(), signal.SIGKILL)

    engine._enqueue = die
    await engine.enqueue_ticks([Tick("mail", at, NewExecution(id="one", concept=Concept.JOB, target="mail"))])

asyncio.run(main(sys.argv[1]))
"""


@pytest.mark.parametrize("moment", ["before", "after"])
async def test_a_tick_that_was_noted_and_not_committed_is_not_noted(tmp_path, moment):
    engine = DenoKvEngine(tmp_path / "queue.db")
    await engine.open()
    try:
        last = (await engine.standing(["mail"])).last["mail"]
        argv = [sys.executable, "-c", KILLED_BETWEEN, str(tmp_path / "queue.db"), moment]
        ended = await asyncio.to_thread(subprocess.run, argv, check=False, timeout=60)
        assert ended.returncode == -signal.SIGKILL
        assert (await engine.standing(["mail"])).last["mail"] == last
        assert await engine.find(HistoryQuery()) == []
        (answer,) = await engine.enqueue_ticks([Tick("mail", last + 1, new())])
        assert answer is not None
    finally:
        await engine.close()


def batch(last):
    """The next moment of every target, with executions of its own."""
    return [
        Tick(
            target,
            at + 1,
            new(target, id=f"{target}-{at + 1}-{uuid.uuid4()}", payload=b'{"at":%d}' % (at + 1)),
        )
        for target, at in last.items()
    ]


@pytest.mark.parametrize("kind", ["redis", "postgres"])
@pytest.mark.services
async def test_a_server_killed_in_the_middle_neither_loses_nor_doubles_a_tick(
    kind, private_redis, private_postgres
):
    if kind == "redis":
        server = private_redis("--appendonly", "yes", "--appendfsync", "always")
        engine = RedisEngine(server.url, "jobs")
    else:
        server = private_postgres()
        engine = PostgresEngine(server.url, "jobs")
    await engine.open()
    began = dict((await engine.standing(TARGETS)).last)
    told: list[str] = []
    errors: list[EngineError] = []
    over = asyncio.Event()

    async def schedule():
        last = dict(began)
        while not over.is_set():
            ticks = batch(last)
            try:
                answers = await engine.enqueue_ticks(ticks)
            except EngineError as error:
                errors.append(error)
                await asyncio.sleep(0.01)
                continue  # the same moments again
            told.extend(answer.id for answer in answers if answer)
            last = {each.target: each.at for each in ticks}

    async def until(holds):
        async with asyncio.timeout(BOUND_MS / 1000):
            while not holds():
                await asyncio.sleep(0.01)

    scheduling = [asyncio.create_task(schedule()) for _ in range(3)]
    try:
        for _ in range(3):
            before = len(told)
            await until(lambda before=before: len(told) > before + 3 * len(TARGETS))
            failed = len(errors)
            await asyncio.to_thread(server.kill)
            await until(lambda failed=failed: len(errors) > failed)
            await asyncio.to_thread(server.start)
        before = len(told)
        await until(lambda: len(told) > before + 3 * len(TARGETS))
    finally:
        over.set()
        await asyncio.gather(*scheduling)
    made = await balance(engine, began)
    there = {record.id for record in await engine.find(HistoryQuery(limit=None))}
    assert there >= set(told)
    assert made == len(there)
    await engine.close()
