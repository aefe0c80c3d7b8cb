"""The archive's server goes away and comes back: work goes on, nothing is lost, nothing is moved twice."""

import os

import pytest

from contracts.engines import DAY_MS, Clock, run
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.domain.ids import IdFactory
from netscript_workers.engines.archived import ArchivedEngine
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.postgres import PostgresArchive
from netscript_workers.errors import EngineError
from netscript_workers.ports.history import HistoryQuery, Swept
from netscript_workers.ports.queue_admin import DeadFilter
from support.daemons import Project, until

pytestmark = [pytest.mark.faults, pytest.mark.services, pytest.mark.timeout(150)]
BOOM = outcomes.failed("boom")
JOB = """
from netscript_workers import job

@job("hello")
async def hello(ctx):
    return {"ok": True}
"""


async def test_a_server_killed_between_two_sweeps_loses_no_record(tmp_path, private_postgres):
    server, clock = private_postgres(), Clock()
    archive = PostgresArchive(server.url, clock=clock)
    engine = ArchivedEngine(DenoKvEngine(tmp_path / "queue.db", "jobs", clock), archive, clock)
    await engine.open()
    records = [await run(engine, BOOM, now=clock.now) for _ in range(10)]
    clock.move(8 * DAY_MS)
    assert await engine.sweep(4) == Swept(4, 0)
    server.kill()
    with pytest.raises(EngineError):
        await engine.sweep(4)
    with pytest.raises(EngineError):
        await engine.find(HistoryQuery())
    fresh = await run(engine, BOOM, now=clock.now, id=IdFactory().new(clock.now))
    assert fresh.status is Status.FAILED  # the line went on meanwhile
    server.start()
    assert await engine.sweep(100) == Swept(6, 0)
    assert await engine.sweep(100) == Swept(0, 0)
    assert await engine.find(HistoryQuery(limit=None)) == [fresh, *reversed(records)]
    assert len(await engine.dead_letters(DeadFilter(), None)) == 11
    assert await engine.count_dead() == 11
    await engine.close()


def test_a_daemon_works_on_while_its_archive_is_away(tmp_path, private_postgres, monkeypatch):
    server = private_postgres()
    monkeypatch.setitem(os.environ, "DATABASE_URL", server.url)
    project = Project(tmp_path / "project", "concurrency = 1\n", hello=JOB)
    with project.daemon() as daemon:
        until(lambda: "is up" in project.log(), "the daemon")
        server.kill()
        execution = project.trigger("hello")
        until(lambda: project.json("show", execution)["status"] == "completed", "the run")
        refused = project.run("executions")  # archived ones would be missing in the answer
        assert refused.returncode == 69
        assert "database_url" in refused.stderr
        assert daemon.poll() is None
        server.start()
        until(lambda: project.run("executions").returncode == 0, "the archive")
        assert daemon.poll() is None


def test_a_daemon_whose_archive_cannot_be_reached_does_not_start(tmp_path, private_postgres, monkeypatch):
    server = private_postgres()
    monkeypatch.setitem(os.environ, "DATABASE_URL", server.url)
    server.kill()
    project = Project(tmp_path / "project", 'connect_timeout = "1s"\n', hello=JOB)
    refused = project.run("combined")
    assert refused.returncode == 69
    assert "database_url" in refused.stderr
