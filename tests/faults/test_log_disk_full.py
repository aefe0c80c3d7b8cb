"""A disk that is full for logs: the daemon goes on, runs work, and ends in order."""

import signal
import subprocess

import pytest

from support.daemons import WORKERS, Project, until

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
[[groups]]
topic = "mail"
scaling = { mode = "distributed" }
"""

JOBS = """
from netscript_workers import job


@job("here")
def here(ctx):
    print("x" * 10_000)
    ctx.log.warning("y" * 10_000)
    return 1


@job("there", topic="mail")
def there(ctx):
    print("x" * 10_000)
    return 1
"""


@pytest.mark.parametrize("style", ["text", "json"])
@pytest.mark.parametrize("command", ["combined", "worker", "run"])
def test_a_daemon_whose_log_cannot_be_written_goes_on(tmp_path, command, style):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with open("/dev/full", "wb") as full:
        daemon = subprocess.Popen(
            [WORKERS, command, "--log-format", style, "--log-level", "debug"],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
        )
    try:
        wanted = 3 if command == "run" else 1
        until(lambda: len(project.json("status")["workers"]) == wanted, "the workers")
        for target in ("here", "there", "here"):
            execution = project.trigger(target)
            until(
                lambda one=execution: project.json("show", one)["status"] == "completed",
                f"the run of {target}",
            )
        daemon.send_signal(signal.SIGUSR1)  # a report, which cannot be written either
        execution = project.trigger("here")
        until(lambda: project.json("show", execution)["status"] == "completed", "the last run")
    finally:
        daemon.send_signal(signal.SIGTERM)
        status = daemon.wait(60)
    assert status == 0
