"""Queries over a million records. `pytest -m benchmark -s tests/benchmarks/test_archive_speed.py`.

RECORDS=100000 makes it shorter. SPEC section 11 wants every query below 50 ms at a million records: each line says whether its
median and its worst time kept to that. It says so and no more: a slow machine fails no test.
"""

import os
import statistics
import sys
import time

import msgspec
import pytest

from contracts.archives import finished
from contracts.engines import DAY_MS, Clock
from netscript_workers.domain.execution import Status
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.engines.postgres import PostgresArchive
from netscript_workers.ports.archive import Archive
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter

# ruff: noqa: T201 - it prints what it measured

pytestmark = [pytest.mark.benchmark, pytest.mark.timeout(1800)]

RECORDS = int(os.environ.get("RECORDS", "1_000_000"))
BATCH = 1000
ROUNDS = 7
BOUND_MS = 50


def record(clock: Clock, n: int):
    """Make the record number `n` of `RECORDS`: ten targets, four topics, one in fifty a dead letter; `rare` seldom."""
    status = Status.FAILED if n % 50 == 0 else Status.COMPLETED
    age_ms = (RECORDS - n) * 10
    made = finished(
        clock,
        status,
        age_ms=age_ms,
        id=f"{n:012x}-{n:04x}",
        target="rare" if n % 100_000 == 7 else f"target-{n % 10}",
        topic="quiet" if n % 50_000 == 7 else f"topic-{n % 4}",
        correlation_id=f"c{n // 3}",
        progress=None,
    )
    return msgspec.structs.replace(made, lines=(), attempts=made.attempts[1:] if n % 10 else made.attempts)


async def timed(name: str, query) -> None:
    await query()
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        found = await query()
        times.append((time.perf_counter() - began) * 1000)
    size = len(found) if isinstance(found, list) else found
    said = verdict(statistics.median(times), max(times))
    print(f"  {name:52} {statistics.median(times):8.2f} ms  (worst {max(times):8.2f})  {size!s:>8}  {said}")


def verdict(middle: float, worst: float) -> str:
    """Say how the times stand to the bound; in red where that is missed."""
    if worst <= BOUND_MS:
        return "ok"
    said = f"OVER {BOUND_MS} ms" + ("" if middle > BOUND_MS else " at worst")
    return f"\x1b[31m{said}\x1b[0m" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else said


QUERIES = {
    "newest 20": HistoryQuery(),
    "newest 500": HistoryQuery(limit=500),
    "a common target": HistoryQuery(target="target-3"),
    "a rare target": HistoryQuery(target="rare"),
    "an unknown target": HistoryQuery(target="nobody"),
    "a common topic": HistoryQuery(topic="topic-1"),
    "a rare topic": HistoryQuery(topic="quiet"),
    "completed": HistoryQuery(status=Status.COMPLETED),
    "failed": HistoryQuery(status=Status.FAILED),
    "timeout (none)": HistoryQuery(status=Status.TIMEOUT),
    "a correlation id": HistoryQuery(correlation_id=f"c{RECORDS // 6}"),
    "a common target, failed": HistoryQuery(target="target-0", status=Status.FAILED),
    "a common target, failed (none)": HistoryQuery(target="target-3", status=Status.FAILED),
    "a common topic, failed": HistoryQuery(topic="topic-2", status=Status.FAILED),
    "a common topic, timeout (none)": HistoryQuery(topic="topic-1", status=Status.TIMEOUT),
    "a common target in a common topic": HistoryQuery(target="target-1", topic="topic-1"),
    "a common target in a topic it is never in": HistoryQuery(target="target-1", topic="topic-0"),
    "a common topic it is never in, completed": HistoryQuery(
        target="target-1", topic="topic-0", status=Status.COMPLETED
    ),
    "a common topic it is never in, failed": HistoryQuery(
        target="target-0", topic="topic-1", status=Status.FAILED
    ),
    "a rare target, completed": HistoryQuery(target="rare", status=Status.COMPLETED),
    "a rare topic, completed": HistoryQuery(topic="quiet", status=Status.COMPLETED),
    "a rare topic, failed (none)": HistoryQuery(topic="quiet", status=Status.FAILED),
    "an unknown topic, completed": HistoryQuery(topic="nowhere", status=Status.COMPLETED),
    "a target, a topic, failed": HistoryQuery(target="target-0", topic="topic-2", status=Status.FAILED),
}


async def measure_history(store) -> None:
    for name, query in QUERIES.items():
        await timed(name, lambda query=query: store.find(query))
    ids = [record(Clock(), n * (RECORDS // 500)).execution.id for n in range(500)]
    await timed("one by its id", lambda: store.get_many(ids[3:4]))
    await timed("500 by their ids", lambda: store.get_many(ids))
    await timed("attempts of one", lambda: store.attempts(ids[3]))
    await timed("lines of one", lambda: store.logs(ids[3]))


async def measure_archive(archive: Archive, clock: Clock) -> None:
    await measure_history(archive)
    await timed("dead letters, the latest 20", lambda: archive.find_dead(DeadFilter(), 20))
    await timed("dead letters of a target", lambda: archive.find_dead(DeadFilter(target="target-0"), 20))
    await timed(
        "dead letters of a target (none)", lambda: archive.find_dead(DeadFilter(target="target-3"), 20)
    )
    await timed("count of dead letters", archive.count_dead)
    clock.move(38 * DAY_MS - RECORDS * 10)
    await timed("delete 500 past their age", lambda: archive.drop_due(500))


async def fill(put, clock: Clock, what: str) -> None:
    began = time.perf_counter()
    for start in range(0, RECORDS, BATCH):
        await put([record(clock, n) for n in range(start, min(start + BATCH, RECORDS))])
    took = time.perf_counter() - began
    print(f"\n{what}: {RECORDS:,} records, put at {RECORDS / took:,.0f}/s in batches of {BATCH}")


async def test_an_archive_in_sqlite(tmp_path):
    clock = Clock()
    archive = SqliteArchive(tmp_path / "archive.db", "jobs", clock)
    await archive.open()
    await fill(archive.put_many, clock, "archive in SQLite")
    print(f"  the file has {(tmp_path / 'archive.db').stat().st_size / RECORDS:,.0f} bytes for each")
    await measure_archive(archive, clock)
    await archive.close()


@pytest.mark.services
async def test_an_archive_in_postgres(postgres_server):
    clock = Clock()
    url = postgres_server.new_database()
    archive = PostgresArchive(url, clock=clock)
    await archive.open()
    await fill(archive.put_many, clock, "archive in PostgreSQL")
    size = int(postgres_server.sql("SELECT pg_database_size(current_database())", url=url))
    print(f"  the database has {size / RECORDS:,.0f} bytes for each")
    await measure_archive(archive, clock)
    await archive.close()
    postgres_server.drop_database(url)


async def test_live_records_of_deno_kv(tmp_path):
    clock = Clock()
    engine = DenoKvEngine(tmp_path / "queue.db", "jobs", clock)
    await engine.open()
    await fill(engine.restore, clock, "live records in the file of deno-kv")
    await measure_history(engine)
    await timed("dead letters, the latest 20", lambda: engine.dead_letters(DeadFilter(), 20))
    await timed(
        "dead letters of a target (none)", lambda: engine.dead_letters(DeadFilter(target="target-3"), 20)
    )
    await timed("count of dead letters", engine.count_dead)
    await timed("depths", engine.depths)
    clock.move(8 * DAY_MS)
    await timed("aged, 500", lambda: engine.aged(500))
    began = time.perf_counter()
    for _ in range(20):
        await engine.sweep(500)
    print(
        f"  sweep of 500 into the file's own archive: {(time.perf_counter() - began) / 20 * 1000:.1f} ms each"
    )
    await engine.close()
