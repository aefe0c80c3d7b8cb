"""The queue's file in bad hands: what is no queue, newer layouts, full disks, jumping clocks, crowds and kills."""

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from contracts.engines import BOUND_MS, Clock, claim, claimed_ids, new, put
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError

pytestmark = pytest.mark.faults

CROWD = """
import asyncio, sys
from pathlib import Path
from netscript_workers.domain.execution import Concept, NewExecution
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.ports.queue import ClaimRequest, LaneDemand

async def main(path, name, count):
    engine = DenoKvEngine(Path(path), "jobs")
    await engine.open()
    try:
        for n in range(count):
            new = NewExecution(id=f"{name}-{n:06}", concept=Concept.JOB, target="t")
            await engine.enqueue_many([new])
            print("stored", new.id, flush=True)
            request = ClaimRequest(
                worker_id=name, lease_ms=600_000, total=2, lanes=(LaneDemand(("default",), 2),), target_limits={}
            )
            for execution in await engine.claim_many(request):
                print("claimed", execution.id, flush=True)
    finally:
        await engine.close()

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
"""


def crowd(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", CROWD, str(path), name, str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def lines_of(output: str, verb: str) -> list[str]:
    return [line.split()[1] for line in output.splitlines() if line.startswith(verb + " ")]


async def refused(path: Path) -> EngineError:
    engine = DenoKvEngine(path)
    with pytest.raises(EngineError) as caught:
        await engine.open()
    await engine.close()
    assert str(path) in str(caught.value)
    return caught.value


async def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "queue.db"
    path.write_bytes(b"this is not a database\n" * 200)
    error = await refused(path)
    assert isinstance(error, EngineFormatError)
    assert path.read_bytes() == b"this is not a database\n" * 200


async def test_a_directory_in_the_place_of_the_file_is_refused(tmp_path):
    assert isinstance(await refused(tmp_path), EngineUnavailableError)


async def test_a_file_in_the_place_of_the_directory_is_refused(tmp_path):
    (tmp_path / "data").write_text("in the way")
    engine = DenoKvEngine(tmp_path / "data" / "queue.db")
    with pytest.raises(EngineUnavailableError, match="deno_kv_path"):
        await engine.open()
    await engine.close()


@pytest.mark.parametrize("table", ["migration_state", "netscript_schema"])
async def test_a_newer_layout_is_refused_and_left_alone(tmp_path, table):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    await engine.close()
    with sqlite3.connect(path) as db:
        db.execute(f"UPDATE {table} SET version = 99")
    db.close()
    error = await refused(path)
    assert isinstance(error, EngineFormatError)
    assert "99" in str(error)
    with sqlite3.connect(path) as db:
        assert db.execute(f"SELECT version FROM {table}").fetchone() == (99,)
    db.close()


async def test_an_engine_that_is_closed_says_so(tmp_path):
    engine = DenoKvEngine(tmp_path / "queue.db")
    await engine.open()
    await engine.close()
    await engine.close()
    with pytest.raises(EngineUnavailableError, match="not open"):
        await put(engine)


async def test_a_claim_whose_caller_was_cancelled_is_taken_back(tmp_path):
    engine = DenoKvEngine(tmp_path / "queue.db")
    await engine.open()
    try:
        (one,) = await put(engine)
        claiming = asyncio.create_task(claim(engine))
        await asyncio.sleep(0)
        claiming.cancel()
        assert isinstance((await asyncio.gather(claiming, return_exceptions=True))[0], asyncio.CancelledError)
        async with asyncio.timeout(BOUND_MS / 1000):
            while not (again := await claim(engine)):
                await asyncio.sleep(0.005)
        assert [(execution.id, execution.attempt) for execution in again] == [(one, 1)]
    finally:
        await engine.close()


async def test_two_queue_names_in_one_file_never_see_each_other(tmp_path):
    engines = [DenoKvEngine(tmp_path / "queue.db", name) for name in ("jobs", "other")]
    for engine in engines:
        await engine.open()
    try:
        twin = new(idempotency_key="k")
        answers = [(await engine.enqueue_many([twin]))[0] for engine in engines]
        assert [answer.deduplicated for answer in answers] == [False, False]
        await engines[0].pause("default")
        assert await claimed_ids(engines[0]) == []
        assert await claimed_ids(engines[1]) == [twin.id]
        assert [depth.running for depth in await engines[0].depths()] == [0]
    finally:
        for engine in engines:
            await engine.close()


async def test_a_jump_of_the_wall_clock_neither_expires_nor_prolongs_a_lease(tmp_path):
    clock = Clock()
    engine = DenoKvEngine(tmp_path / "queue.db", "jobs", clock)
    await engine.open()
    try:
        await put(engine, new(), new())
        await claim(engine, 1, lease_ms=600_000)
        clock.move(365 * 24 * 3_600_000)
        assert await engine.take_expired("w2", 1, 10) == []
        clock.move(-2 * 365 * 24 * 3_600_000)
        (short,) = await claimed_ids(engine, 1, lease_ms=1)
        async with asyncio.timeout(BOUND_MS / 1000):
            while not (taken := await engine.take_expired("w2", 600_000, 10)):
                await asyncio.sleep(0.005)
        assert [one.id for one in taken] == [short]
        await put(engine)
        assert len(await claim(engine)) == 1
    finally:
        await engine.close()


async def test_a_boot_of_the_host_ends_every_lease(tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    ids = await put(engine)
    await claim(engine, lease_ms=600_000)
    await engine.close()
    with sqlite3.connect(path) as db:
        db.execute("UPDATE netscript_schema SET boot_id = 'the boot before'")
    db.close()
    await engine.open()
    try:
        assert [one.id for one in await engine.take_expired("w2", 60_000, 10)] == ids
    finally:
        await engine.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 2 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("mounting a small disk takes root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


async def test_a_full_disk_is_told_and_loses_nothing(small_disk):
    engine = DenoKvEngine(small_disk / "queue.db")
    await engine.open()
    try:
        stored: list[str] = []

        async def fill() -> None:
            while len(stored) < 1000:
                stored.extend(await put(engine, new(payload=b'{"x":"' + b"y" * 50_000 + b'"}')))

        with pytest.raises(EngineError, match="space"):
            await fill()
        assert stored
        assert None not in await engine.get_many(stored)
        subprocess.run(["mount", "-o", "remount,size=32m", str(small_disk)], check=True)
        stored += await put(engine)
        assert await claimed_ids(engine, 1000) == stored
    finally:
        await engine.close()


def test_four_processes_at_once_meet_no_error_and_none_gets_one_twice(tmp_path):
    path = tmp_path / "queue.db"
    crowds = [crowd(path, f"p{n}", 60) for n in range(4)]
    outputs = [process.communicate(timeout=50) for process in crowds]
    assert [(process.returncode, err) for process, (_, err) in zip(crowds, outputs, strict=True)] == [
        (0, "")
    ] * 4
    stored = sorted(one for out, _ in outputs for one in lines_of(out, "stored"))
    claimed = sorted(one for out, _ in outputs for one in lines_of(out, "claimed"))
    assert len(stored) == 240
    assert claimed == stored


def test_many_that_make_the_file_at_the_same_moment_all_open_it(tmp_path):
    path = tmp_path / "queue.db"
    start = threading.Barrier(6)

    async def open_and_close() -> None:
        engine = DenoKvEngine(path)
        start.wait(BOUND_MS / 1000)
        await engine.open()
        await engine.close()

    for _ in range(10):
        with ThreadPoolExecutor(6) as pool:
            for done in [pool.submit(asyncio.run, open_and_close()) for _ in range(6)]:
                done.result(BOUND_MS / 1000)
        for file in tmp_path.glob("queue.db*"):
            shutil.rmtree(file) if file.is_dir() else file.unlink()


async def test_a_kill_in_mid_load_loses_nothing_stored(tmp_path):
    path = tmp_path / "queue.db"
    process = crowd(path, "victim", 100_000)
    assert process.stdout is not None
    seen = [process.stdout.readline() for _ in range(100)]
    process.send_signal(signal.SIGKILL)
    rest, _ = await asyncio.to_thread(process.communicate, None, BOUND_MS / 1000)
    output = "".join(seen) + rest
    assert process.returncode == -signal.SIGKILL
    stored, claimed = lines_of(output, "stored"), lines_of(output, "claimed")
    assert len(stored) + len(claimed) >= 100
    engine = DenoKvEngine(path)
    await engine.open()
    try:
        assert None not in await engine.get_many(stored)
        again = await claimed_ids(engine, 1000)
        assert not set(again) & set(claimed)
        (fresh,) = await put(engine)
        assert await claimed_ids(engine) == [fresh]
    finally:
        await engine.close()
    with sqlite3.connect(path) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
