"""Every search of the history walks an index that holds little more than its answer. Counted in steps, never in time."""

import itertools
import sqlite3

import msgspec
import pytest

from contracts.archives import finished
from contracts.engines import Clock
from netscript_workers.domain.execution import Status
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.engines.deno_kv.finding import LIVE, RESTING, finding
from netscript_workers.ports.history import HistoryQuery

RECORDS = 6_000
FEW_STEPS = 60
"""In hundreds of SQLite's instructions; a walk through the records of one target takes many more."""
TARGETS = ("common", "other", "rare", "nobody", None)
TOPICS = ("default", "elsewhere", "quiet", "nowhere", None)
STATUSES = (
    Status.COMPLETED,
    Status.FAILED,
    Status.TIMEOUT,
    Status.QUEUED,
    Status.RUNNING,
    Status.PENDING,
    None,
)
NEW = {
    "netscript_of_pair",
    "netscript_archive_of_pair",
    "netscript_otherwise",
    "netscript_archive_otherwise",
    "netscript_otherwise_of_topic",
    "netscript_archive_otherwise_of_topic",
}


def records(clock: Clock) -> list:
    """Make three thousand each of two targets, each in a topic of its own, and few others."""
    made = []
    for n in range(RECORDS):
        target, topic = ("common", "default") if n % 2 else ("other", "elsewhere")
        if n % 2_000 == 7:
            target, topic = "rare", "quiet"
        status = Status.FAILED if n % 50 == 0 else Status.COMPLETED
        one = finished(
            clock, status, age_ms=(RECORDS - n) * 10, target=target, topic=topic, correlation_id=f"c{n}"
        )
        made.append(msgspec.structs.replace(one, lines=(), attempts=()))
    return made


def expected(made: list, query: HistoryQuery) -> list[str]:
    fields = [(name, getattr(query, name)) for name in ("target", "topic", "status", "correlation_id")]
    wanted = [(name, value) for name, value in fields if value is not None]
    found = [
        one.execution.id
        for one in reversed(made)
        if all(getattr(one.execution, name) == value for name, value in wanted)
    ]
    return found[: query.limit]


def steps(path, source: str, query: HistoryQuery) -> int:
    """Count the steps (hundreds of instructions) of one search."""
    counted = itertools.count()
    db = sqlite3.connect(path)
    (number,) = db.execute("SELECT number FROM netscript_queue").fetchone()
    db.set_progress_handler(lambda: next(counted) and 0, 100)
    values = {"target": query.target, "topic": query.topic, "correlation": query.correlation_id}
    db.execute(finding(source, query), {**values, "queue": number, "limit": query.limit}).fetchall()
    db.close()
    return next(counted)


@pytest.fixture(params=[LIVE, RESTING])
async def store(request, tmp_path):
    """A store with the records, its file and the table that they are in."""
    clock = Clock()
    path = tmp_path / "queue.db"
    made = records(clock)
    if request.param == LIVE:
        opened = DenoKvEngine(path, wall_ms=clock)
        await opened.open()
        await opened.restore(made)
    else:
        opened = SqliteArchive(path, wall_ms=clock)
        await opened.open()
        await opened.put_many(made)
    yield opened, path, request.param, made
    await opened.close()


@pytest.mark.slow
async def test_every_combination_finds_what_it_should(store):
    opened, _, _, made = store
    for target, topic, status in itertools.product(TARGETS, TOPICS, STATUSES):
        for limit in (1, 5):
            query = HistoryQuery(target=target, topic=topic, status=status, limit=limit)
            assert [one.id for one in await opened.find(query)] == expected(made, query), query
    for n, target in itertools.product((0, 1, 7, RECORDS - 1), TARGETS):
        query = HistoryQuery(correlation_id=f"c{n}", target=target, topic="default")
        assert [one.id for one in await opened.find(query)] == expected(made, query), query
    query = HistoryQuery(target="common", limit=None)
    assert [one.id for one in await opened.find(query)] == expected(made, query)


async def test_no_combination_makes_a_walk_through_what_it_does_not_want(store):
    _, path, source, _ = store
    for target, topic, status in itertools.product(TARGETS, TOPICS, STATUSES):
        query = HistoryQuery(target=target, topic=topic, status=status, limit=5)
        assert steps(path, source, query) < FEW_STEPS, query
    correlated = HistoryQuery(correlation_id="c2001", target="common", topic="default", limit=5)
    assert steps(path, source, correlated) < FEW_STEPS


async def test_a_file_of_the_third_layout_is_brought_up_to_date(tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    await engine.close()
    with sqlite3.connect(path) as db:
        for index in NEW:
            db.execute(f"DROP INDEX {index}")
        db.execute("CREATE INDEX netscript_of_target ON netscript_execution (queue, target)")
        db.execute("CREATE INDEX netscript_archive_of_target ON netscript_archive (queue, target)")
        db.execute("DROP TABLE netscript_schedule")
        db.execute("UPDATE netscript_schema SET version = 3")
    db.close()
    await engine.open()
    try:
        assert await engine.find(HistoryQuery(target="mail", topic="default")) == []
    finally:
        await engine.close()
    with sqlite3.connect(path) as db:
        there = {row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'index'")}
    db.close()
    assert there >= NEW
    assert not {"netscript_of_target", "netscript_archive_of_target"} & there
