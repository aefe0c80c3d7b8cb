"""The engine's threads: what breaks in them is told to whoever waits."""

import asyncio
import sqlite3

import pytest

from contracts.engines import claim, claimed_ids, put
from netscript_workers.engines.deno_kv import DenoKvEngine, connection
from netscript_workers.engines.deno_kv.journal import Journal
from netscript_workers.engines.deno_kv.writer import Writer
from netscript_workers.errors import EngineError

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"


async def test_a_read_beyond_its_bound_is_an_engine_error_and_ends_with_the_engine(tmp_path, monkeypatch):
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()
    monkeypatch.setattr(connection, "READ_BOUND_S", 0.05)
    with pytest.raises(EngineError, match="was not read within"):
        await engine._connections.read(ENDLESS, {})
    await asyncio.wait_for(engine.close(), 20)


async def test_a_writing_thread_that_breaks_fails_all_who_wait_and_all_who_come(tmp_path, monkeypatch):
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()

    def broken(*_):
        raise RuntimeError("broken inside")

    monkeypatch.setattr(Writer, "_commit", broken)
    writes = [asyncio.create_task(engine.pause("a")) for _ in range(3)]
    ended = await asyncio.wait_for(asyncio.gather(*writes, return_exceptions=True), 20)
    assert {type(one) for one in ended} == {EngineError}
    with pytest.raises(EngineError, match="broken inside"):
        await asyncio.wait_for(engine.pause("a"), 20)
    await asyncio.wait_for(engine.close(), 20)


async def test_a_disk_that_does_not_take_the_journal_is_told_to_those_who_were_promised_it(
    tmp_path, monkeypatch
):
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()

    def refuse(_self) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "sync", refuse)
        with pytest.raises(EngineError, match="disk did not take"):
            await asyncio.wait_for(engine.pause("a"), 20)
        assert await engine._connections.write(lambda _: 7, durable=False) == 7
    await asyncio.wait_for(engine.resume("a"), 20)
    await asyncio.wait_for(engine.close(), 20)


async def test_a_write_is_answered_only_after_the_disk_has_it(tmp_path, monkeypatch):
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()
    order: list[str] = []
    real = Journal.sync

    def synced(journal: Journal) -> None:
        real(journal)
        order.append("synced")

    monkeypatch.setattr(Journal, "sync", synced)
    await asyncio.wait_for(engine.pause("a"), 20)
    order.append("answered")
    await asyncio.wait_for(engine.close(), 20)
    assert order == ["synced", "answered"]


async def test_a_claim_whose_caller_goes_away_while_the_engine_closes_is_taken_back(tmp_path):
    path = tmp_path / "queue.sqlite3"
    engine = DenoKvEngine(path)
    await engine.open()
    (one,) = await put(engine)
    assert await claim(engine, 1, (("another",), 1)) == []
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    claiming = asyncio.create_task(claim(engine))
    await asyncio.sleep(0)
    closing = asyncio.create_task(engine.close())
    await asyncio.sleep(0)
    claiming.cancel()
    await asyncio.wait({claiming}, timeout=20)
    other.execute("COMMIT")
    other.close()
    await asyncio.wait_for(closing, 20)
    again = DenoKvEngine(path)
    await again.open()
    assert await claimed_ids(again) == [one]
    await again.close()
