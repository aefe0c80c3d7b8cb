"""Searches look at what they return, not at what else has ended."""

import json

import asyncpg
import pytest

from contracts.engines import put
from netscript_workers.domain.execution import Status
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.history import HistoryQuery

pytestmark = pytest.mark.services

ENDED = """
INSERT INTO netscript.finished (
  seq, token, triggered_at, started_at, completed_at, archive_at, delete_at, queue, priority, attempt, max_attempts, status,
  id, concept, target, topic, triggered_by, payload
)
SELECT
  nextval('netscript.arrival'), 1, n, n, n, 9e15, 9e15, $1, 50, 1, 1, CASE WHEN n % 2 = 0 THEN 'failed' ELSE 'cancelled' END,
  'f' || n, 'job', 'a', 'default', 'manual', '{}'
FROM generate_series(1, 50000) AS n
"""
FINISHED = "netscript.find_finished({}, false, {}, {}, {}, NULL, 20)"
DEAD = "netscript.find_dead({}, NULL, {}, {}, 20)"
FEW_PAGES = 400


@pytest.fixture
async def searched(postgres_server):
    """Fifty thousand executions of one target, none of which completed: a function that counts the pages of a search."""
    url = postgres_server.new_database()
    engine = PostgresEngine(url)
    await engine.open()
    connection = await asyncpg.connect(url)
    await connection.execute(ENDED, engine._number)

    async def pages(call: str) -> int:
        await connection.fetch(f"SELECT * FROM {call}")  # its plan is made
        told = await connection.fetchval(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {call}")
        top = json.loads(told)[0]["Plan"]
        return top["Shared Hit Blocks"] + top["Shared Read Blocks"]

    yield engine, pages
    await connection.close()
    await engine.close()


@pytest.mark.parametrize(
    ("target", "topic", "status"),
    [
        ("NULL", "NULL", "'completed'"),
        ("'b'", "NULL", "'failed'"),
        ("NULL", "'x'", "'failed'"),
        ("NULL", "NULL", "NULL"),
        ("NULL", "NULL", "'timeout'"),
    ],
)
async def test_a_search_among_many_of_another_kind_reads_few_pages(searched, target, topic, status):
    engine, pages = searched
    assert await pages(FINISHED.format(engine._number, target, topic, status)) < FEW_PAGES


@pytest.mark.parametrize(
    ("target", "topic"), [("NULL", "NULL"), ("'b'", "NULL"), ("NULL", "'x'"), ("'a'", "NULL")]
)
async def test_the_latest_dead_letters_are_found_without_the_others(searched, target, topic):
    engine, pages = searched
    assert await pages(DEAD.format(engine._number, target, topic)) < FEW_PAGES


async def test_every_status_is_found_newest_first(searched):
    engine, _ = searched
    assert [one.id for one in await engine.find(HistoryQuery(limit=3))] == ["f50000", "f49999", "f49998"]
    cancelled = await engine.find(HistoryQuery(status=Status.CANCELLED, limit=2))
    assert [one.id for one in cancelled] == ["f49999", "f49997"]
    assert await engine.count_dead() == 25_000
    (waiting,) = await put(engine)
    assert (await engine.find(HistoryQuery(limit=1)))[0].id == waiting
