"""`kill -9` of the supervisor and of its children under load: nothing is lost, nothing is left running."""

import asyncio
import os
import random
import signal
import time
from collections import Counter

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until
from support.trees import family, tree, wait_gone

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
lease = "1s"
shutdown_timeout = "10s"
[[groups]]
topic = "mail"
scaling = { concurrency = 3, mode = "distributed" }
"""

JOBS = """
import os
import time

from netscript_workers import job


def note(ctx, payload):
    time.sleep(0.005)
    fd = os.open(payload["file"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(fd, (ctx.id + "\\n").encode())
    os.close(fd)


@job("here", max_retries=50, retry_delay=0)
def here(ctx, payload: dict):
    note(ctx, payload)


@job("there", topic="mail", max_retries=50, retry_delay=0)
def there(ctx, payload: dict):
    note(ctx, payload)


@job("long", topic="mail", timeout="10m", max_retries=3, retry_delay=0)
def long(ctx):
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return ctx.attempt
"""

EACH = 300
KILLS = 5


def enqueue(folder) -> list[str]:
    async def all_of_them() -> list[str]:
        async with Client(str(folder / "config.toml")) as client:
            payloads = [{"file": str(folder / "notes")}] * EACH
            return [
                one.id for target in ("here", "there") for one in await client.trigger_many(target, payloads)
            ]

    return asyncio.run(all_of_them())


def finished(project) -> bool:
    return not any(t["queued"] + t["running"] + t["pending"] for t in project.json("status")["topics"])


def verify(project, folder, ids, most_repeated) -> None:
    records = project.json("executions", "--limit", str(len(ids) + 1))
    assert {record["id"] for record in records} == set(ids)
    assert {record["status"] for record in records} == {"completed"}
    runs = Counter((folder / "notes").read_text().split())
    assert set(runs) == set(ids)
    repeated = sum(count - 1 for count in runs.values())
    assert repeated <= most_repeated, repeated


def test_children_killed_at_random_under_load_come_back_and_nothing_is_lost(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    ids = enqueue(tmp_path)
    chance = random.Random(11)
    with tree(project) as run:
        for _ in range(KILLS):
            name = chance.choice(["combined", "worker-mail"])
            pid = run.ups(name)[-1]
            os.kill(pid, signal.SIGKILL)
            run.wait_again(name, pid)
            time.sleep(chance.uniform(0, 0.1))  # somewhere in mid-work is the point
        until(lambda: finished(project), "the end of all runs", 90)
        restarts = sum(worker["restarts"] for worker in project.json("status")["workers"])
        assert restarts >= KILLS - 1  # of each process as it is now; all kills together are KILLS
        all_of_it = family(run.process.pid)
    assert run.process.returncode == 0
    wait_gone(all_of_it)
    verify(project, tmp_path, ids, KILLS * 32)


def test_a_supervisor_killed_under_load_leaves_no_process_and_loses_nothing(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    ids = enqueue(tmp_path)
    for _ in range(3):
        with tree(project) as run:
            all_of_it = family(run.process.pid)
            run.process.kill()
            run.process.wait()
            wait_gone(all_of_it)
        (tmp_path / "daemon.log").unlink()
    with tree(project) as run:
        until(lambda: finished(project), "the end of all runs", 90)
    verify(project, tmp_path, ids, 0)  # orphans drain: what ran is recorded


def test_a_supervisor_killed_while_its_children_start_leaves_no_process(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    for look in ("keeps", "combined is up"):
        with tree(project, wait=False) as run:
            until(lambda what=look: what in run.log(), look)
            all_of_it = family(run.process.pid)
            run.process.kill()
            run.process.wait()
            wait_gone(all_of_it)
        (tmp_path / "daemon.log").unlink()


def test_a_long_run_outlives_its_killed_supervisor_for_the_drain_and_then_goes_back(tmp_path):
    project = Project(tmp_path, CONFIG.replace("10s", "300ms"), jobs=JOBS)
    with tree(project) as run:
        execution = project.trigger("long")
        until(lambda: project.json("show", execution)["status"] == "running", "the run")
        all_of_it = family(run.process.pid)
        run.process.kill()
        run.process.wait()
        wait_gone(all_of_it)
    record = project.json("show", execution)
    assert (record["status"], record["attempt"]) == ("queued", 0)
