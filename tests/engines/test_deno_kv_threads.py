"""The engine's threads: what breaks in them is told to whoever waits."""

import asyncio
import sqlite3

import pytest

from contracts.engines import asking, claim, claimed_ids, new, put
from netscript_workers.engines.deno_kv import DenoKvEngine, connection, queue
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


async def test_what_the_disk_did_not_take_is_written_anew_into_the_database_before_it_is_answered(
    tmp_path, monkeypatch, caplog
):
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()

    def refuse(_self) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Journal, "sync", refuse)
        await asyncio.wait_for(engine.pause("a"), 20)
    assert "did not take the journal" in caplog.text
    assert (tmp_path / "queue.sqlite3-wal").stat().st_size == 0
    await asyncio.wait_for(engine.close(), 20)


async def test_a_disk_that_takes_nothing_is_told_to_those_who_were_promised_it(tmp_path, monkeypatch):
    path = tmp_path / "queue.sqlite3"
    engine = DenoKvEngine(path)
    await engine.open()

    def refuse(_self) -> None:
        raise OSError(5, "Input/output error")

    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM kv").fetchall()  # it holds up the checkpoint
    with monkeypatch.context() as patch:
        patch.setattr(Journal, "sync", refuse)
        with pytest.raises(EngineError, match="disk did not take"):
            await asyncio.wait_for(engine.pause("a"), 20)
    assert await engine._connections.write(lambda _: 7, durable=False) == 7
    with pytest.raises(
        EngineError, match="disk did not take"
    ):  # one good sync proves nothing about the one before
        await asyncio.wait_for(engine.resume("a"), 20)
    reader.close()
    await asyncio.wait_for(engine.resume("a"), 20)
    await asyncio.wait_for(engine.close(), 20)


async def test_a_link_to_the_file_serves_as_well_as_the_file(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link.sqlite3").symlink_to(tmp_path / "real" / "queue.sqlite3")
    engine = DenoKvEngine(tmp_path / "link.sqlite3")
    await engine.open()
    await asyncio.wait_for(engine.pause("a"), 20)
    assert [(one.topic, one.paused) for one in await engine.depths()] == [("a", True)]
    assert (tmp_path / "real" / "queue.sqlite3-wal").exists()
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


async def test_a_wait_sees_at_once_what_a_claim_left_because_of_its_own_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(queue, "LOOK_AGAIN_S", 3_600.0)
    engine = DenoKvEngine(tmp_path / "queue.sqlite3")
    await engine.open()
    await put(engine, *(new(topic="a") for _ in range(3)))
    assert len(await engine.claim_many(asking(6, (("a",), 1), (("b",), 5)))) == 1
    await asyncio.wait_for(engine.wait_for_work(("a", "b"), 3_600_000), 20)
    await asyncio.wait_for(engine.close(), 20)
