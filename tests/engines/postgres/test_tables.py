"""The tables: made once by however many start at once, left alone when told so, and used by users who may not make any."""

import asyncio

import pytest

from contracts.engines import claim, ending, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.engines.postgres import PostgresArchive, PostgresEngine, PostgresTables
from netscript_workers.errors import EngineFormatError, EngineUnavailableError
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.queue_admin import DeadFilter
from netscript_workers.ports.tables import Upkeep
from support.daemons import Project

pytestmark = pytest.mark.services

GRANTS = """
GRANT USAGE ON SCHEMA netscript TO {user};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA netscript TO {user};
GRANT USAGE ON ALL SEQUENCES IN SCHEMA netscript TO {user};
"""


async def test_many_that_open_an_empty_database_at_once_make_its_tables_once(postgres_server):
    url = postgres_server.new_database()
    engines = [PostgresEngine(url) for _ in range(6)]
    await asyncio.gather(*(engine.open() for engine in engines))
    assert {engine._number for engine in engines} == {1}
    for engine in engines:
        await engine.close()
    tables = PostgresTables(url)
    layout = await tables.status()
    assert (layout.found, layout.outstanding) == (layout.needed, ())
    assert await tables.upgrade() == layout


async def test_who_may_not_migrate_says_what_to_do(postgres_server):
    url = postgres_server.new_database()
    engine = PostgresEngine(url, upkeep=Upkeep.LEAVE)
    with pytest.raises(EngineFormatError, match="workers db upgrade"):
        await engine.open()
    before = await PostgresTables(url).upgrade()
    assert before.found == 0
    assert len(before.outstanding) == before.needed
    await engine.open()
    assert len(await put(engine)) == 1
    await engine.close()


async def test_who_may_found_them_makes_them_in_an_empty_database_and_upgrades_none(postgres_server):
    url = postgres_server.new_database()
    engine = PostgresEngine(url, upkeep=Upkeep.FOUND)
    await engine.open()
    assert len(await put(engine)) == 1
    await engine.close()
    postgres_server.sql("DELETE FROM netscript.migration WHERE number > 8", url=url)
    older = await PostgresTables(url).status()
    for one in (engine, PostgresArchive(url, upkeep=Upkeep.FOUND)):
        with pytest.raises(EngineFormatError, match="workers db upgrade"):
            await one.open()
    assert await PostgresTables(url).status() == older


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
async def test_a_database_that_cannot_hold_every_text_is_refused(postgres_server, encoding):
    url = postgres_server.new_database()
    name = f"{url.rpartition('/')[2]}_{encoding.lower()}"
    how = f"ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
    postgres_server.sql(f"CREATE DATABASE {name} {how}")
    with pytest.raises(EngineUnavailableError, match=f"encoded in {encoding}; the queue needs UTF8"):
        await PostgresEngine(postgres_server.url_of(name)).open()


async def test_a_look_at_the_database_makes_nothing_in_it(postgres_server):
    url = postgres_server.new_database()
    await PostgresEngine(url).probe()
    await PostgresArchive(url).probe()
    assert (await PostgresTables(url).status()).found == 0


async def test_tables_of_a_newer_version_are_left_alone(postgres_server):
    url = postgres_server.new_database()
    await PostgresTables(url).upgrade()
    postgres_server.sql("INSERT INTO netscript.migration (number, name) VALUES (999, 'later')", url=url)
    for upkeep in Upkeep:
        with pytest.raises(EngineFormatError, match="newer netscript-workers"):
            await PostgresEngine(url, upkeep=upkeep).open()


async def test_a_user_with_the_grants_of_the_readme_can_do_everything(postgres_server):
    url = postgres_server.new_database()
    user = f"worker_{url.rpartition('_')[2]}"
    postgres_server.sql(f"CREATE ROLE {user} LOGIN")
    theirs = url.replace("postgres@", f"{user}@")
    with pytest.raises(EngineUnavailableError, match="does not allow this user"):
        await PostgresEngine(theirs).open()
    await PostgresTables(url).upgrade()
    for grant in GRANTS.format(user=user).strip().splitlines():
        postgres_server.sql(grant, url=url)
    engine = PostgresEngine(theirs)
    await engine.open()
    (one,) = await put(engine)
    await engine.settle_many([ending(each, outcomes.failed("boom")) for each in await claim(engine)])
    assert [letter.id for letter in await engine.dead_letters(DeadFilter(), None)] == [one]
    assert await engine.requeue_dead(DeadFilter()) == 1
    assert await engine.sweep(10)
    assert len(await engine.find(HistoryQuery())) == 1
    assert [depth.queued for depth in await engine.depths()] == [1]
    await engine.close()


async def test_queue_names_in_one_database_never_see_each_other(postgres_server):
    url = postgres_server.new_database()
    a, b = PostgresEngine(url, "a"), PostgresEngine(url, "b")
    await a.open()
    await b.open()
    (one,) = await put(a)
    assert await claim(b) == []
    assert await b.get_many([one]) == [None]
    assert await b.depths() == []
    await a.erase()
    assert await a.get_many([one]) == [None]
    await a.close()
    await b.close()


CONFIG = """
queue_provider = "postgres"
[connections]
database_url = "{url}"
"""
HELLO = "from netscript_workers import job\n\n\n@job('hello')\ndef hello(ctx):\n    return 1\n"


@pytest.mark.slow
def test_the_command_line_looks_after_the_tables(postgres_server, tmp_path):
    url = postgres_server.new_database()
    project = Project(tmp_path, CONFIG.format(url=url), hello=HELLO)
    assert project.run("db", "status").returncode == 1
    refused = project.run("combined", "--no-migrate", "--drain")
    assert (refused.returncode, "workers db upgrade" in refused.stderr) == (69, True)
    assert "Applied: 001_tables" in project.run("db", "upgrade").stderr
    postgres_server.sql("CREATE TABLE noted AS SELECT * FROM netscript.migration WHERE number > 7", url=url)
    postgres_server.sql("DELETE FROM netscript.migration WHERE number > 7", url=url)
    for command in (
        ["trigger", "hello"],
        ["status"],
        ["conformance"],
        ["combined", "--no-migrate", "--drain"],
    ):
        refused = project.run(*command)
        assert (refused.returncode, "workers db upgrade" in refused.stderr) == (69, True), command
    assert project.run("db", "status").returncode == 1
    postgres_server.sql("INSERT INTO netscript.migration SELECT * FROM noted", url=url)
    assert project.json("db", "status")["outstanding"] == []
    one = project.trigger("hello")
    assert project.run("combined", "--no-migrate", "--drain").returncode == 0
    assert project.json("show", one)["status"] == "completed"
