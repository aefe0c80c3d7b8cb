"""Rows in Deno's own queue that no Deno would write, and runs of Deno's consumers, living, dead and under a jumping clock."""

import asyncio
import sqlite3

import pytest

from contracts.engines import Clock, claim
from engines.test_deno_arrivals import KEYS, MAIL, now, rows, until, v8, write
from netscript_workers.domain.message import Terms
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.deno_kv.stranded import STRANDED_MS, Standing
from netscript_workers.ports.queue_admin import DeadFilter

JOB = v8({"jobId": "mail"})


@pytest.fixture
def path(tmp_path):
    return tmp_path / "queue.db"


@pytest.fixture
def wall() -> Clock:
    clock = Clock()
    clock.now = now()
    return clock


@pytest.fixture
def awake() -> Clock:
    """The clock that runs are seen standing by."""
    return Clock()


@pytest.fixture
async def engine(path, wall, awake):
    engine = DenoKvEngine(path, wall_ms=wall, terms=Terms(find={"mail": MAIL}.get))
    engine._arrivals._standing = Standing(awake)
    await engine.open()
    yield engine
    await engine.close()


def put_raw(path, *values: tuple, table: str = "queue") -> None:
    with sqlite3.connect(path, timeout=30) as db:
        db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?, ?, ?)", values)
    db.close()


async def moved(path) -> bool:
    return rows(path, "SELECT count(*) FROM queue") == [(0,)]


async def seen(engine, awake: Clock, ms: int) -> None:
    """Let `ms` go by in looks that are no more than five seconds apart."""
    while ms > 0:
        awake.move(min(ms, 5_000))
        ms -= 5_000
        await engine._arrivals._look()


@pytest.mark.parametrize(
    "message_id",
    [b"\x00\xff", b"", 7, 1.5, "", "with \0 in it", "o'hara", "\u00e4"],
    ids=["blob", "empty blob", "number", "fraction", "empty", "nul", "quote", "letter"],
)
async def test_a_row_with_any_id_is_moved_once(engine, path, message_id):
    put_raw(path, (1, message_id, JOB, "null", "[]"))
    assert [one.target for one in await claim(engine)] == ["mail"]
    await until(lambda: moved(path))
    assert rows(path, "SELECT count(*) FROM netscript_execution") == [(1,)]


async def test_a_blob_for_an_id_writes_no_more_than_a_text_does(engine, path):
    assert await claim(engine) == []
    put_raw(path, (1, b"\x01", JOB, "null", "[]"))
    await until(lambda: moved(path))
    commits = engine._connections.commits
    for _ in range(3):
        assert await engine._arrivals._move_all() is False
    assert engine._connections.commits == commits


@pytest.mark.parametrize(
    "at", [b"\x01", "soon", 1.5, float("inf")], ids=["blob", "text", "fraction", "infinite"]
)
async def test_a_time_that_is_none_makes_a_dead_letter(engine, path, at):
    put_raw(path, (at, "a", JOB, "null", "[]"), (1, "b", JOB, "null", "[]"))
    assert len(await claim(engine)) == 1
    (letter,) = await engine.dead_letters(DeadFilter(), None)
    assert letter.raw == JOB
    assert "its time due is no whole number" in letter.reason
    assert await moved(path)


async def test_words_that_are_no_text_do_not_hold_up_the_rest(engine, path):
    with sqlite3.connect(path, timeout=30) as db:
        for number, schedule in enumerate(("CAST(x'ff' AS TEXT)", "x'ff'", "7")):
            db.execute(
                f"INSERT INTO queue VALUES (?, CAST(x'fe' AS TEXT), ?, {schedule}, {schedule})", (number, JOB)
            )
    db.close()
    assert len(await claim(engine)) == 3
    assert await moved(path)


async def test_a_message_under_a_number_that_was_used_again_is_not_lost(engine, path):
    put_raw(path, (1, "first", JOB, "null", "[]"))
    arrivals = await engine._arrivals._look()
    with sqlite3.connect(path, timeout=30) as db:
        db.execute("DELETE FROM queue")
        db.execute("INSERT INTO queue VALUES (1, 'second', ?, 'null', '[]')", (JOB,))
    db.close()
    assert await engine._connections.write(lambda tx: engine._arrivals._take(tx, arrivals)) == 0
    assert rows(path, "SELECT id FROM queue") == [("second",)]


async def test_what_cannot_be_taken_ends_the_round(engine, path):
    write(path, {"jobId": "mail"})
    engine._arrivals._sql._texts["take_arrivals"] = "SELECT 1 WHERE :batch = ''"
    async with asyncio.timeout(20):
        assert await engine._arrivals._move_all() is False
    assert rows(path, "SELECT count(*) FROM queue") == [(1,)]


async def test_what_a_dead_consumer_of_deno_left_running_is_taken_over(engine, path, awake):
    write(path, {"jobId": "mail", "payload": {"n": 1}}, running=True, schedule=[], keys=KEYS)
    assert await claim(engine) == []
    await seen(engine, awake, STRANDED_MS - 1)
    engine._arrivals.nudge()
    assert await claim(engine) == []
    await seen(engine, awake, 1)
    engine._arrivals.nudge()

    async def taken() -> bool:
        return rows(path, "SELECT count(*) FROM queue_running") == [(0,)]

    await until(taken)
    (one,) = await claim(engine)
    assert one.decoded_payload() == {"n": 1}


@pytest.mark.parametrize("jump_ms", [30_000, 3_600_000, -3_600_000])
async def test_a_jump_of_the_wall_clock_takes_nothing_from_a_living_consumer(
    engine, path, wall, awake, jump_ms
):
    assert await claim(engine) == []
    put_raw(path, (now() + 5_000, "a", JOB, "null", "[]"), table="queue_running")
    await seen(engine, awake, STRANDED_MS - 1)
    wall.move(jump_ms)
    assert await engine._arrivals._move_all() is False
    for renewal in range(5):
        with sqlite3.connect(path, timeout=30) as db:
            db.execute("UPDATE queue_running SET deadline = deadline + ?", (2_000 + renewal,))
        db.close()
        await seen(engine, awake, 2_000)
        assert await engine._arrivals._move_all() is False
    assert rows(path, "SELECT count(*) FROM queue_running") == [(1,)]


async def test_a_host_that_slept_leaves_a_consumer_time_to_renew(engine, path, awake):
    assert await claim(engine) == []
    put_raw(path, (now() + 5_000, "a", JOB, "null", "[]"), table="queue_running")
    assert await engine._arrivals._look() == []
    awake.move(3_600_000)
    assert await engine._arrivals._look() == []
    awake.move(3_999)
    assert await engine._arrivals._look() == []
    awake.move(1)
    assert len(await engine._arrivals._look()) == 1
