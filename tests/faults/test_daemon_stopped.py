"""Stopping, and two daemons at one file."""

import asyncio
import signal
import time

import pytest

from netscript_workers.client import Client
from support.daemons import Project, until

CONFIG = """
concurrency = 2
runtime = "{mode}"
shutdown_timeout = "{drain}"
"""

JOBS = """
import os
import time

from netscript_workers import job


@job("long", timeout="10m", max_retries=0)
def long(ctx):
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return "went"


@job("short")
def short(ctx):
    return os.getpid()
"""


@pytest.mark.faults
@pytest.mark.parametrize("mode", ["web-worker", "subprocess"])
def test_sigterm_in_the_middle_of_a_long_run_gives_it_back_unused(tmp_path, mode):
    project = Project(tmp_path, CONFIG.format(mode=mode, drain="200ms"), jobs=JOBS)
    execution = project.trigger("long")
    daemon = project.start()
    until(lambda: project.json("show", execution)["status"] == "running", "the run")
    daemon.send_signal(signal.SIGTERM)
    assert daemon.wait(45) == 0
    record = project.json("show", execution)
    assert (record["status"], record["attempt"]) == ("queued", 0)
    (tmp_path / "let-go").touch()
    with project.daemon():
        until(lambda: project.json("show", execution)["status"] == "completed", "the second run")


@pytest.mark.faults
def test_sigterm_lets_a_run_finish_within_the_drain_time(tmp_path):
    project = Project(tmp_path, CONFIG.format(mode="web-worker", drain="40s"), jobs=JOBS)
    execution = project.trigger("long")
    daemon = project.start()
    until(lambda: project.json("show", execution)["status"] == "running", "the run")
    daemon.send_signal(signal.SIGTERM)
    until(lambda: "draining" in project.log(), "the drain")
    (tmp_path / "let-go").touch()
    assert daemon.wait(45) == 0
    assert project.json("show", execution)["result"] == "went"


@pytest.mark.faults
def test_a_second_sigterm_interrupts_at_once(tmp_path):
    project = Project(tmp_path, CONFIG.format(mode="web-worker", drain="10m"), jobs=JOBS)
    execution = project.trigger("long")
    daemon = project.start()
    until(lambda: project.json("show", execution)["status"] == "running", "the run")
    daemon.send_signal(signal.SIGTERM)
    until(lambda: "draining" in project.log(), "the drain")
    daemon.send_signal(signal.SIGINT)
    assert daemon.wait(45) == 0
    assert project.json("show", execution)["status"] == "queued"


@pytest.mark.faults
def test_a_paused_daemon_lets_runs_finish_and_claims_again_after_sigcont(tmp_path):
    project = Project(tmp_path, CONFIG.format(mode="in-process", drain="5s"), jobs=JOBS)
    with project.daemon() as daemon:
        until(lambda: " is up: " in project.log(), "the daemon")
        daemon.send_signal(signal.SIGTSTP)
        until(lambda: "paused" in project.log(), "the pause")
        execution = project.trigger("short")
        time.sleep(0.3)  # nothing to wait for: nothing must happen
        assert project.json("show", execution)["status"] == "queued"
        daemon.send_signal(signal.SIGUSR1)
        until(lambda: " slots" in project.log(), "the report")
        daemon.send_signal(signal.SIGCONT)
        until(lambda: project.json("show", execution)["status"] == "completed", "the run")


@pytest.mark.faults
def test_two_daemons_at_one_file_share_the_work_and_run_nothing_twice(tmp_path):
    project = Project(tmp_path, CONFIG.format(mode="in-process", drain="5s"), jobs=JOBS)

    async def enqueue() -> list[str]:
        async with Client(tmp_path / "config.toml") as client:
            return [answer.id for answer in await client.trigger_many("short", [{}] * 3_000)]

    with project.daemon(), project.daemon():
        until(lambda: project.log().count(" is up: ") == 2, "both daemons")
        ids = asyncio.run(enqueue())

        def done() -> bool:
            return not any(t["queued"] + t["running"] for t in project.json("status")["topics"])

        until(done, "the end of the work")
    records = project.json("executions", "--limit", "4000")
    assert {record["id"] for record in records} == set(ids)
    assert {(record["status"], record["attempt"]) for record in records} == {("completed", 1)}
    assert len({record["result"] for record in records}) == 2
