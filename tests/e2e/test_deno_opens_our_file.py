"""Deno and the daemon share one file: a real Deno opens what we made, and leaves our tables alone."""

import sqlite3
from pathlib import Path

import pytest

from contracts.engines import claim, claimed_ids, ending, new, put
from netscript_workers.domain.execution import Status
from netscript_workers.engines.deno_kv import DenoKvEngine
from support.deno import run

pytestmark = [pytest.mark.e2e, pytest.mark.services]

SET_AND_GET = """
const kv = await Deno.openKv(Deno.args[0]);
await kv.set(["greeting", 1], { text: "hallo" });
const found = await kv.get(["greeting", 1]);
await kv.atomic().check(found).set(["count"], new Deno.KvU64(1n)).sum(["count"], 2n).commit();
const count = await kv.get(["count"]);
kv.close();
console.log(JSON.stringify({ found: found.value, count: Number(count.value.value) }));
"""
ONLY_GET = """
const kv = await Deno.openKv(Deno.args[0]);
const found = await kv.get(["greeting", 1]);
kv.close();
console.log(JSON.stringify({ found: found.value }));
"""


def in_deno(deno: str, tmp_path: Path, script: str) -> dict[str, object]:
    return run(deno, tmp_path, script, str(tmp_path / "queue.db"))


def layout(path: Path) -> list[tuple[str, str]]:
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    db.close()
    return rows


async def test_deno_opens_a_file_that_we_made_and_our_tables_stay(deno, tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    waiting = await put(engine, new(), new())
    await engine.close()
    before = layout(path)
    assert in_deno(deno, tmp_path, SET_AND_GET) == {"found": {"text": "hallo"}, "count": 3}
    assert layout(path) == before
    await engine.open()
    try:
        assert await claimed_ids(engine) == waiting
    finally:
        await engine.close()


async def test_deno_uses_the_file_while_we_have_it_open(deno, tmp_path):
    engine = DenoKvEngine(tmp_path / "queue.db")
    await engine.open()
    try:
        (one,) = await put(engine)
        assert in_deno(deno, tmp_path, SET_AND_GET)["count"] == 3
        (execution,) = await claim(engine)
        assert await engine.settle_many([ending(execution)]) == [True]
        (record,) = await engine.get_many([one])
        assert record is not None
        assert record.status is Status.COMPLETED
        assert in_deno(deno, tmp_path, ONLY_GET) == {"found": {"text": "hallo"}}
    finally:
        await engine.close()


async def test_we_open_a_file_that_deno_made_and_what_it_holds_stays(deno, tmp_path):
    in_deno(deno, tmp_path, SET_AND_GET)
    engine = DenoKvEngine(tmp_path / "queue.db")
    await engine.open()
    try:
        ids = await put(engine)
        assert await claimed_ids(engine) == ids
    finally:
        await engine.close()
    assert in_deno(deno, tmp_path, ONLY_GET) == {"found": {"text": "hallo"}}
