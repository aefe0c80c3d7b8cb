"""A child whose event loop hangs is ended, and says where it hung; the rest goes on."""

import os
import signal
import subprocess

import pytest

from support.daemons import Project, until
from support.trees import family, tree, wait_gone

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
lease = "1s"
shutdown_timeout = "1s"
[[groups]]
topic = "mail"
runtime = "in-process"
scaling = { mode = "distributed" }
"""

JOBS = """
import time

from netscript_workers import job


@job("blocks", topic="mail", max_retries=0, timeout="10m")
async def blocks_the_loop(ctx):
    open("blocked", "w").close()
    time.sleep(3_600)


@job("quick", topic="mail")
async def quick(ctx):
    return 1
"""


def test_a_handler_that_blocks_the_loop_gets_its_process_ended_and_named(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        pid = run.ups("worker-mail")[0]
        execution = project.trigger("blocks")
        run.wait_again("worker-mail", pid)
        assert "gave no sign of life for 10 s" in run.log()
        assert "blocks_the_loop" in run.log()  # the traceback of the hung loop
        assert len(run.ups("combined")) == 1
        until(lambda: project.json("show", execution)["status"] == "failed", "the end of that run")
        quick = project.trigger("quick")
        until(lambda: project.json("show", quick)["status"] == "completed", "a run of the new process")
        assert "started again 1 time by its supervisor" in project.run("status").stdout
    assert run.process.returncode == 0


def test_a_stopped_child_is_hung_too(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        pid = run.ups("worker-mail")[0]
        os.kill(pid, signal.SIGSTOP)
        run.wait_again("worker-mail", pid)
    assert run.process.returncode == 0


def test_a_supervisor_that_was_stopped_for_long_blames_no_child(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        run.process.send_signal(signal.SIGSTOP)
        # Longer than a child may be silent; nothing to wait for: the supervisor stands still.
        with pytest.raises(subprocess.TimeoutExpired):
            run.process.wait(13)
        run.process.send_signal(signal.SIGCONT)
        run.process.send_signal(signal.SIGUSR1)
        until(lambda: "passed on to 3 processes" in run.log(), "the supervisor's answer")
        quick = project.trigger("quick")
        until(lambda: project.json("show", quick)["status"] == "completed", "a run")
        assert "no sign of life" not in run.log()
        assert len(run.ups("worker-mail")) == 1


def test_a_hung_child_whose_supervisor_was_killed_does_not_stay_for_ever(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        all_of_it = family(run.process.pid)
        project.trigger("blocks")
        until((tmp_path / "blocked").exists, "the run")
        run.process.kill()
        run.process.wait()
        wait_gone(all_of_it, 90)
