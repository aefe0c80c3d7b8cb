"""What is in Deno's own queue is moved into ours, whole and once. The rows are written as Deno writes them."""

import asyncio
import json
import sqlite3
import time
import uuid

import pytest
from v8serialize import dumps
from v8serialize.jstypes import JSObject

from contracts.engines import claim, ending, put
from netscript_workers.domain.execution import Status
from netscript_workers.domain.message import Terms
from netscript_workers.domain.outcome import failed
from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter

PATIENCE_S = 20
MAIL = Target(
    id="mail",
    concept=Concept.JOB,
    source=Source.DIRECTORY,
    file="m.py",
    path="/m.py",
    priority=70,
    max_retries=2,
)
KEYS = [[2, 100, 0], [2, 101, 0]]


def v8(value) -> bytes:
    """Write a value as Deno would: a dict is a plain object."""
    return bytes(dumps(plain(value)))


def plain(value):
    if isinstance(value, dict):
        return JSObject((key, plain(member)) for key, member in value.items())
    return [plain(member) for member in value] if isinstance(value, list) else value


def now() -> int:
    return time.time_ns() // 1_000_000


def write(path, *messages, ts=None, keys=(), running=False, schedule=(100, 1000)) -> None:
    """Enqueue as Deno does, in one transaction."""
    table, place = ("queue_running", "deadline") if running else ("queue", "ts")
    statement = f"INSERT INTO {table} ({place}, id, data, backoff_schedule, keys_if_undelivered) VALUES (?, ?, ?, ?, ?)"
    with sqlite3.connect(path, timeout=30) as db:
        for message in messages:
            data = message if isinstance(message, bytes) else v8(message)
            at = now() if ts is None else ts
            db.execute(statement, (at, str(uuid.uuid4()), data, json.dumps(schedule), json.dumps(keys)))
    db.close()


def rows(path, query: str) -> list[tuple]:
    db = sqlite3.connect(path, timeout=30)
    try:
        return db.execute(query).fetchall()
    finally:
        db.close()


async def until(holds) -> None:
    """Wait for a condition, within a bound."""
    async with asyncio.timeout(PATIENCE_S):
        while not await holds():
            await asyncio.sleep(0.01)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.db"


@pytest.fixture
async def engine(path):
    engine = DenoKvEngine(path, terms=Terms(find={"mail": MAIL}.get))
    await engine.open()
    yield engine
    await engine.close()


async def test_what_waits_is_there_at_the_first_claim_in_the_order_of_its_enqueue(engine, path):
    write(path, *[{"jobId": "mail", "payload": {"n": n}} for n in range(450)])
    claimed = await claim(engine, 1000)
    assert [one.decoded_payload()["n"] for one in claimed] == list(range(450))
    assert {(one.priority, one.max_attempts, one.triggered_by.value) for one in claimed} == {(70, 3, "queue")}
    assert rows(path, "SELECT count(*) FROM queue") == [(0,)]


async def test_a_message_wakes_whoever_waits_for_work(engine, path):
    assert await claim(engine) == []
    waiting = asyncio.create_task(engine.wait_for_work(["default"], 60_000))
    await asyncio.sleep(0)
    write(path, {"jobId": "mail"})
    await asyncio.wait_for(waiting, PATIENCE_S)
    (one,) = await claim(engine)
    assert one.target == "mail"


async def test_what_is_not_due_waits_for_its_time_and_can_be_cancelled(engine, path):
    due = now() + 3_600_000
    write(path, {"jobId": "mail"}, {"jobId": "mail", "delay": "1m"}, ts=due, keys=KEYS)
    assert await claim(engine) == []
    first, second = sorted(await engine.find(HistoryQuery()), key=lambda one: one.due_at)
    assert (first.status, first.due_at, second.due_at) == (Status.PENDING, due, due + 60_000)
    await engine.cancel_many([first.id])
    assert rows(path, "SELECT id FROM netscript_undelivered") == [(second.id,)]
    assert rows(path, "SELECT count(*) FROM kv") == [(0,)]


async def test_an_idempotency_key_holds_against_both_kinds_of_enqueue(engine, path):
    write(path, *[{"jobId": "mail", "idempotencyKey": "k"}] * 3)
    (one,) = await claim(engine)
    write(path, {"jobId": "mail", "idempotencyKey": "k"})

    async def moved() -> bool:
        return rows(path, "SELECT count(*) FROM queue") == [(0,)]

    await until(moved)
    assert await claim(engine) == []
    assert await engine.settle_many([ending(one)]) == [True]


async def test_what_is_no_job_becomes_a_dead_letter_with_its_bytes(engine, path):
    raw = v8({"jobId": "mail", "payload": {"when": {1, 2}}})
    write(path, b"garbage", {"neither": 1}, raw, {"jobId": "mail"}, keys=KEYS[:1])
    assert len(await claim(engine)) == 1
    letters = {letter.raw: letter.reason for letter in await engine.dead_letters(DeadFilter(), None)}
    assert set(letters) == {b"garbage", v8({"neither": 1}), raw}
    assert "payload.when is a Set" in letters[raw]
    assert "no V8 value" in letters[b"garbage"]
    assert len(rows(path, "SELECT k FROM kv")) == 1


async def test_a_dead_letter_is_put_under_the_keys_that_deno_asked_for(engine, path):
    write(path, {"jobId": "mail", "payload": {"n": 1}}, keys=KEYS)
    version = rows(path, "SELECT version FROM data_version")[0][0]
    (one,) = await claim(engine)
    assert await engine.settle_many([ending(one, failed("no"), attempts=2)]) == [True]
    assert rows(path, "SELECT count(*) FROM kv") == [(0,)]
    (one,) = await claim(engine)
    assert await engine.settle_many([ending(one, failed("no"), attempts=2)]) == [True]
    put_there = rows(path, "SELECT k, v, v_encoding, version, expiration_ms FROM kv ORDER BY k")
    new_version = rows(path, "SELECT version FROM data_version")[0][0]
    data = v8({"jobId": "mail", "payload": {"n": 1}})
    assert put_there == [(bytes(key), data, 1, new_version, -1) for key in KEYS]
    assert new_version > version
    assert rows(path, "SELECT * FROM netscript_undelivered") == []


async def test_nothing_is_put_for_what_completes(engine, path):
    write(path, {"jobId": "mail"}, keys=KEYS)
    (one,) = await claim(engine)
    assert await engine.settle_many([ending(one)]) == [True]
    assert rows(path, "SELECT count(*) FROM kv") == [(0,)]
    assert rows(path, "SELECT * FROM netscript_undelivered") == []


async def test_two_engines_that_move_at_once_take_each_message_once(path):
    engines = [DenoKvEngine(path) for _ in range(2)]
    for one in engines:
        await one.open()
    try:
        write(path, *[{"jobId": "mail", "payload": {"n": n}} for n in range(3_000)])
        batches = await asyncio.gather(*(claim(one, 3_000, worker=f"w{n}") for n, one in enumerate(engines)))
        found = [one for claimed in batches for one in claimed]

        async def all_found() -> bool:
            found.extend(await claim(engines[0], 3_000))
            return len(found) >= 3_000

        await until(all_found)
        assert sorted(one.decoded_payload()["n"] for one in found) == list(range(3_000))
        assert rows(path, "SELECT count(*) FROM netscript_execution") == [(3_000,)]
    finally:
        for one in engines:
            await one.close()


async def test_who_only_enqueues_or_looks_leaves_denos_queue_alone(engine, path):
    write(path, {"jobId": "mail"})
    await put(engine)
    await engine.depths()
    assert rows(path, "SELECT count(*) FROM queue") == [(1,)]


async def test_a_file_of_the_first_layout_is_brought_up_to_date(path):
    engine = DenoKvEngine(path)
    await engine.open()
    (one,) = await put(engine)
    await engine.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE netscript_undelivered")
        db.execute("DROP TABLE netscript_schedule")
        db.execute("UPDATE netscript_schema SET version = 1")
    db.close()
    await engine.open()
    try:
        assert [execution.id for execution in await claim(engine)] == [one]
    finally:
        await engine.close()


async def test_a_worker_counts_what_deno_has_enqueued_so_that_a_drain_does_not_end_too_soon(engine, path):
    assert await claim(engine) == []
    write(path, *[{"jobId": "mail"} for _ in range(2_000)])
    await engine.wait_for_work(["default"], PATIENCE_S * 1000)
    (depth,) = await engine.depths()
    assert depth.queued == 2_000
