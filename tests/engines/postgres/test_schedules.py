"""The book of the schedules in PostgreSQL: every schedule is looked for by its name, however many there are."""

import asyncpg

from contracts.engines import new
from netscript_workers.engines.postgres import PostgresEngine
from netscript_workers.ports.schedules import Tick

SCANS = "SELECT idx_scan FROM pg_stat_xact_user_tables WHERE relname = 'schedule'"
STANDING = "SELECT * FROM netscript.standing($1, $2, $2, NULL)"
TICKS = """
SELECT netscript.enqueue_ticks(
  $1, $2, $3, $2, $2, $2, $2, array_fill(50, $4), array_fill(0::bigint, $4), array_fill(1, $4), $2, NULL, NULL, NULL, NULL,
  array_fill('{}'::bytea, $4), 1, 1, NULL
)
"""
MANY = 2000


async def test_each_of_many_schedules_is_one_look_into_the_index(postgres_server):
    url = postgres_server.new_database()
    engine = PostgresEngine(url)
    await engine.open()
    names = [f"t{number:04}" for number in range(MANY)]
    await engine.standing(names, names)
    connection = await asyncpg.connect(url)
    for statement, arguments, looks in [
        (STANDING, [names], MANY),
        (TICKS, [names, [0] * MANY, [MANY]], MANY),
        (TICKS, [names, [9_000_000_000_000] * MANY, [MANY]], 3 * MANY),
    ]:
        async with connection.transaction():
            await connection.fetch(statement, engine._number, *arguments)
            assert (
                looks <= await connection.fetchval(SCANS) <= 6 * MANY
            )  # one look that brings all is far below
    await connection.close()
    await engine.close()


async def test_queue_names_in_one_database_have_books_of_their_own(postgres_server):
    url = postgres_server.new_database()
    a, b = PostgresEngine(url, "a"), PostgresEngine(url, "b")
    await a.open()
    await b.open()
    now = (await a.standing(["mail"])).now
    assert await b.enqueue_ticks([Tick("mail", now + 60_000, new())]) == [None]
    await b.standing(["mail"])
    (answer,) = await b.enqueue_ticks([Tick("mail", now + 60_000, new())])
    assert answer is not None
    assert (await a.standing(["mail"])).last["mail"] < now + 60_000
    await b.erase()
    assert postgres_server.sql("SELECT count(*) FROM netscript.schedule", url=url).strip() == "1"
    await a.close()
    await b.close()
