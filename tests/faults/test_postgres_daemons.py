"""Real daemons on a real PostgreSQL: killed, restarted under, paused under; nothing is lost and nothing is done twice."""

import asyncio
import random
import signal
import threading
import time
from collections import Counter

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until

pytestmark = [pytest.mark.faults, pytest.mark.services]

CONFIG = """
queue_provider = "postgres"
concurrency = {slots}
runtime = "in-process"
lease = "{lease}"
[connections]
database_url = "{url}"
[[jobs]]
id = "note"
entrypoint = "note.py"
max_retries = 50
retry_delay = 0
"""

NOTE = """
import os
import time

from netscript_workers import job


@job("note")
async def note(ctx, payload: dict):
    import asyncio

    await asyncio.sleep(payload.get("seconds", 0))
    fd = os.open(payload["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (ctx.id + "\\n").encode())
    os.close(fd)
"""


def project_of(folder, url, *, slots=4, lease="30s") -> Project:
    return Project(folder, CONFIG.format(url=url, slots=slots, lease=lease), note=NOTE)


def enqueue(project: Project, count: int, **payload) -> list[str]:
    async def send() -> list[str]:
        async with Client(project.folder / "config.toml") as client:
            payloads = [{"file": str(project.folder / "notes"), **payload}] * count
            return [answer.id for answer in await client.trigger_many("note", payloads)]

    return asyncio.run(send())


def noted(project: Project) -> Counter[str]:
    notes = project.folder / "notes"
    return Counter(notes.read_text().split()) if notes.exists() else Counter()


def left(project: Project) -> int:
    status = project.json("status")
    return sum(topic["queued"] + topic["running"] + topic["pending"] for topic in status["topics"])


def all_completed(project: Project, ids: list[str]) -> None:
    records = project.json("executions", "--limit", str(len(ids) + 1))
    assert {record["id"] for record in records} == set(ids)
    assert Counter(record["status"] for record in records) == {"completed": len(ids)}


@pytest.mark.timeout(240)
def test_nothing_is_lost_when_workers_are_killed_again_and_again(postgres_server, tmp_path):
    project = project_of(tmp_path, postgres_server.new_database(), lease="1s")
    ids = enqueue(project, 400, seconds=0.01)
    chance = random.Random(7)
    for _ in range(5):
        before = noted(project).total()
        worker = project.start()
        until(lambda b=before: noted(project).total() > b, "a first run")
        time.sleep(chance.uniform(0, 0.1))  # somewhere in mid-work is the point
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    with project.daemon():
        until(lambda: left(project) == 0, "the end of all runs", 90)
    all_completed(project, ids)
    runs = noted(project)
    assert set(runs) == set(ids)
    assert runs.total() - len(ids) <= 5 * 40  # what was in flight at each kill, and its look-ahead


def restarted(server) -> None:
    server.restart()


def killed(server) -> None:
    server.kill()
    server.start()


def paused(server) -> None:
    server.pause()
    time.sleep(20)  # longer than every bound on a statement: that is the point
    server.resume()


def turned_read_only(server) -> None:
    for value in ("on", "off"):
        server.sql(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
        server.sql("SELECT pg_reload_conf()")
        time.sleep(3 if value == "on" else 0)  # long enough to be met by claims and settlements


@pytest.mark.timeout(240)
@pytest.mark.parametrize("trouble", [restarted, killed, paused, turned_read_only])
def test_a_daemon_outlasts_its_server(private_postgres, tmp_path, trouble):
    server = private_postgres()
    project = project_of(tmp_path, server.url, lease="60s")
    ids = enqueue(project, 300, seconds=0.05)
    with project.daemon() as daemon:
        until(lambda: noted(project).total() > 20, "some runs")
        thread = threading.Thread(target=trouble, args=(server,))
        thread.start()
        thread.join()
        until(lambda: noted(project).total() >= 300, "all runs", 120)
        until(lambda: left(project) == 0, "the end of all runs", 60)
        assert daemon.poll() is None
    all_completed(project, ids)
    assert "recovered" in project.log()
    runs = noted(project)
    assert set(runs) == set(ids)
    # Work in hand when the server went is settled once it is back: only a claim whose commit a killed server forgot runs again.
    assert runs.total() - len(ids) <= (40 if trouble is killed else 0), runs.most_common(3)
