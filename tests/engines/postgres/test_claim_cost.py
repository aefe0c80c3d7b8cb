"""A claim costs the same behind a million finished executions and a hundred thousand delayed ones as in an empty queue."""

import json
import time

import asyncpg
import pytest

from contracts.engines import new, put
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.history import HistoryQuery

FINISHED = """
INSERT INTO netscript.finished (
  seq, token, triggered_at, started_at, completed_at, archive_at, delete_at, queue, priority, attempt, max_attempts, status,
  id, concept, target, topic, triggered_by, correlation_id, payload
)
SELECT
  nextval('netscript.arrival'), 1, n, n, n, 9e15, 9e15, $1, 50, 1, 1, CASE WHEN n % 100 = 0 THEN 'failed' ELSE 'completed' END,
  'f' || n, 'job', 'target-' || n % 20, 'topic-' || n % 5, 'manual', CASE WHEN n % 1000 = 0 THEN 'c' || n END, '{}'
FROM generate_series(1, 1000000) AS n
"""
DELAYED = """
INSERT INTO netscript.execution (
  token, triggered_at, due_at, queue, priority, max_attempts, status, id, concept, target, topic, triggered_by, payload
)
SELECT 1, n, 9e15, $1, 50, 1, 'pending', 'd' || n, 'job', 'mail', 'default', 'manual', '{}'
FROM generate_series(1, 100000) AS n
"""
CLAIM = """
EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM netscript.claim(
  $1, 'w', 60000, 100, '{0}', '{default}', '{100}', '{}', '{}', 1, NULL
)
"""
WALK = """
EXPLAIN SELECT ctid FROM netscript.execution
WHERE queue = $1 AND topic = 'default' AND status = 'queued' AND NOT parked
ORDER BY priority DESC, seq LIMIT 100 FOR UPDATE SKIP LOCKED
"""


async def pages_of_a_claim(connection, engine) -> int:
    """Claim a hundred and return how many pages that looked at; plans are made before."""
    for _ in range(2):
        await put(engine, *(new() for _ in range(100)))
        (plan,) = json.loads(await connection.fetchval(CLAIM, engine._number))
    top = plan["Plan"]
    assert top["Actual Rows"] == 100
    return top["Shared Hit Blocks"] + top["Shared Read Blocks"]


@pytest.mark.slow
@pytest.mark.services
@pytest.mark.timeout(240)
async def test_claims_and_searches_stay_cheap_behind_a_million_records(postgres_server):
    url = postgres_server.new_database()
    engine = PostgresEngine(url)
    await engine.open()
    connection = await asyncpg.connect(url)
    empty = await pages_of_a_claim(connection, engine)
    await connection.execute(FINISHED, engine._number, timeout=200)
    await connection.execute(DELAYED, engine._number, timeout=200)
    full = await pages_of_a_claim(connection, engine)
    assert full <= empty * 1.5 + 100, (empty, full)
    walk = "\n".join(row[0] for row in await connection.fetch(WALK, engine._number))
    assert "Index Scan using execution_claimable" in walk
    assert "Sort" not in walk
    await connection.close()
    for query in (
        HistoryQuery(),
        HistoryQuery(target="target-7"),
        HistoryQuery(topic="topic-3"),
        HistoryQuery(target="target-7", topic="topic-2"),
        HistoryQuery(correlation_id="c5000"),
    ):
        begun = time.perf_counter()
        assert await engine.find(query)
        assert (
            time.perf_counter() - begun < 5
        )  # a generous bound: one that reads the table takes far longer on a busy machine
    await engine.close()
