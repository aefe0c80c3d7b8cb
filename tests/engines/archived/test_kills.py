"""A kill between copying and removing: nothing is lost, and no answer tells anything twice."""

import signal
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from contracts.engines import DAY_MS, Clock, claim, claimed_ids, ending, new, put, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.domain.ids import IdFactory
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.errors import EngineUnavailableError
from netscript_workers.ports.history import HistoryQuery, Swept
from netscript_workers.ports.queue_admin import DeadFilter

BOOM = outcomes.failed("boom")

KILLED_IN = """
import asyncio, os, signal, sys
from pathlib import Path
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive

async def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)

async def main():
    folder, now, step = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    clock = lambda: now
    live = DenoKvEngine(folder / "queue.db", "jobs", clock)
    archive = SqliteArchive(folder / "archive.db", "jobs", clock)
    setattr({{"live": live, "archive": archive}}[step.split(".")[0]], step.split(".")[1], die)
    engine = ArchivedEngine(live, archive, clock)
    await engine.open()
    await {call}

asyncio.run(main())
"""


@asynccontextmanager
async def opened(folder: Path, clock: Clock):
    live = DenoKvEngine(folder / "queue.db", "jobs", clock)
    engine = ArchivedEngine(live, SqliteArchive(folder / "archive.db", "jobs", clock), clock)
    await engine.open()
    try:
        yield engine
    finally:
        await engine.close()


def killed(folder: Path, clock: Clock, step: str, call: str) -> None:
    """Run `call` on the same stores in a process that is killed where it would take `step`."""
    argv = [sys.executable, "-c", KILLED_IN.format(call=call), str(folder), str(clock.now), step]
    process = subprocess.run(argv, timeout=50, check=False)
    assert process.returncode == -signal.SIGKILL


async def three_of_old(engine: ArchivedEngine, clock: Clock):
    good = await run(engine, now=clock.now)
    bad = await run(engine, BOOM, now=clock.now)
    late = await run(engine, outcomes.timed_out("slow"), now=clock.now)
    clock.move(8 * DAY_MS)
    return good, bad, late


async def test_what_was_copied_and_not_removed_is_told_once(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        good, bad, late = await three_of_old(engine, clock)
        killed(tmp_path, clock, "live.drop_aged", "engine.sweep(10)")
        for swept in (None, Swept(3, 0), Swept(0, 0)):
            if swept is not None:
                assert await engine.sweep(10) == swept
            assert await engine.get_many([good.id, bad.id, late.id]) == [good, bad, late]
            assert await engine.find(HistoryQuery()) == [late, bad, good]
            assert await engine.find(HistoryQuery(limit=2)) == [late, bad]
            assert await engine.find(HistoryQuery(status=Status.FAILED)) == [bad]
            assert await engine.count_dead() == 2
            assert {one.id for one in await engine.dead_letters(DeadFilter(), 10)} == {bad.id, late.id}
            assert len(await engine.attempts(bad.id)) == 1


@pytest.mark.parametrize("step", ["live.restore", "archive.drop_many", "live.retry_many"])
async def test_a_retry_killed_on_its_way_loses_nothing(tmp_path, step):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        good, bad, late = await three_of_old(engine, clock)
        await engine.sweep(10)
        killed(tmp_path, clock, step, f"engine.retry_many(['{bad.id}'])")
        assert await engine.get_many([bad.id]) == [bad]
        assert len(await engine.find(HistoryQuery())) == 3
        assert len(await engine.dead_letters(DeadFilter(), None)) == 2
        assert await engine.count_dead() == 2
        assert await engine.retry_many([bad.id]) == [True]
        assert await claimed_ids(engine) == [bad.id]
        assert len(await engine.find(HistoryQuery())) == 3
        assert await engine.count_dead() == 1
        assert await engine.get_many([good.id, late.id]) == [good, late]


@pytest.mark.parametrize("verb", ["requeue_dead", "purge_dead"])
async def test_after_a_killed_sweep_each_dead_letter_counts_once(tmp_path, verb):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        await three_of_old(engine, clock)
        killed(tmp_path, clock, "live.drop_aged", "engine.sweep(10)")
        assert await getattr(engine, verb)(DeadFilter()) == 2
        assert await engine.count_dead() == 0
        assert await getattr(engine, verb)(DeadFilter()) == 0
        assert len(await claimed_ids(engine)) == (2 if verb == "requeue_dead" else 0)


async def test_a_record_run_again_while_it_was_copied_is_live_only(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        record = await run(engine, BOOM, now=clock.now)
        clock.move(8 * DAY_MS)
        put_many = engine._archive.put_many

        async def run_again_meanwhile(records):
            await put_many(records)
            await engine.retry_many([record.id])

        engine._archive.put_many = run_again_meanwhile
        assert await engine.sweep(10) == Swept(0, 0)
        assert await engine._archive.get_many([record.id]) == [None]
        assert await claimed_ids(engine) == [record.id]


@pytest.mark.parametrize("later_ms", [0, 6 * 60_000, 11 * 60_000])
async def test_a_sweep_ends_a_restore_that_was_cut_off(tmp_path, later_ms):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        _, bad, late = await three_of_old(engine, clock)
        await engine.sweep(10)
        killed(tmp_path, clock, "archive.drop_many", f"engine.retry_many(['{bad.id}'])")
        clock.move(later_ms)
        for _ in range(3):
            await engine.sweep(10)
            assert await engine.count_dead() == 2
            assert await engine.get_many([bad.id]) == [bad]
        clock.move(20 * 60_000)
        await engine.sweep(10)
        assert await engine._live.restored(10) == []
        assert await engine._archive.count_dead() == 2
        assert {one.id for one in await engine.dead_letters(DeadFilter(), None)} == {bad.id, late.id}


async def test_one_that_runs_again_after_a_cut_off_restore_is_no_dead_letter(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        _, bad, _ = await three_of_old(engine, clock)
        await engine.sweep(10)
        killed(tmp_path, clock, "archive.drop_many", f"engine.retry_many(['{bad.id}'])")
        await engine._live.retry_many([bad.id])
        assert await engine.count_dead() == 1
        assert await claimed_ids(engine) == [bad.id]
        assert await engine.count_dead() == 1


async def test_one_restored_for_a_retry_is_safe_from_the_sweep(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        _, bad, _ = await three_of_old(engine, clock)
        await engine.sweep(10)
        killed(tmp_path, clock, "live.retry_many", f"engine.retry_many(['{bad.id}'])")
        assert await engine.sweep(10) == Swept(0, 0)
        clock.move(10 * 60 * 1000)
        assert await engine.sweep(10) == Swept(1, 0)


async def test_what_is_not_to_be_archived_is_deleted_at_the_end_of_its_live_age(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        (one,) = await put(engine)
        (execution,) = await claim(engine)
        await engine.settle_many([msgspec.structs.replace(ending(execution, now=clock.now), archive_ms=0)])
        clock.move(7 * DAY_MS - 1)
        assert await engine.sweep(10) == Swept(0, 0)
        clock.move(1)
        assert await engine.sweep(10) == Swept(0, 1)
        assert await engine.get_many([one]) == [None]
        assert await engine._archive.find(HistoryQuery()) == []


async def test_an_archive_of_the_files_own_moves_to_the_new_one(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        records = await three_of_old(engine, clock)
        assert (await engine._live.sweep(10)).archived == 3  # as before database_url was set
        assert await engine.sweep(2) == Swept(2, 0)
        assert await engine.find(HistoryQuery()) == [*reversed(records)]
        assert await engine.sweep(2) == Swept(1, 0)
        assert await engine._archive.find(HistoryQuery()) == [*reversed(records)]
        assert await engine.find(HistoryQuery()) == [*reversed(records)]


async def test_work_of_today_asks_the_archive_nothing(tmp_path):
    clock = Clock()
    async with opened(tmp_path, clock) as engine:
        await engine._archive.close()  # whatever would ask it fails
        fresh = IdFactory().new(clock.now)
        await put(engine, new(id=fresh))
        assert await claimed_ids(engine) == [fresh]
        assert (await engine.get_many([fresh]))[0].status is Status.RUNNING
        assert await engine.logs(fresh) == []
        assert await engine.wait_for_end([fresh], 1) == []
        with pytest.raises(EngineUnavailableError):
            await engine.get_many([IdFactory().new(clock.now - DAY_MS)])
