"""`workers run` starts in order, passes signals on, and ends in order; what cannot start ends it with its status."""

import os
import signal
import time

import pytest

from support.daemons import Project, until
from support.trees import family, tree, wait_gone

# Several interpreters start in each: on a busy machine that takes its time.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(300)]

CONFIG = """
shutdown_timeout = "20s"
[[groups]]
topic = "mail"
scaling = { mode = "distributed" }
[[groups]]
topic = "media"
scaling = { mode = "distributed" }
"""

JOBS = """
import os
import time

from netscript_workers import job


@job("long", topic="mail", timeout="10m", max_retries=0)
def long(ctx):
    while not os.path.exists("let-go"):
        time.sleep(0.02)
    return os.getpid()


@job("quick")
def quick(ctx):
    print("a line of its own")
    return os.getppid()
"""


def test_the_tree_starts_in_order_serves_every_topic_and_ends_in_reverse(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        names = ["combined", "worker-mail", "worker-media"]
        ups = [line["message"].split()[0] for line in run.lines() if " is up (process " in line["message"]]
        assert [name for name in ups if name in names] == names
        workers = {worker["pid"]: worker for worker in project.json("status")["workers"]}
        topics = {name: workers[run.ups(name)[0]]["topics"] for name in names}
        assert topics == {"combined": ["default"], "worker-mail": ["mail"], "worker-media": ["media"]}
        assert len({worker["supervisor"] for worker in workers.values()}) == 1
        (tmp_path / "let-go").touch()
        for target in ("quick", "long"):
            execution = project.trigger(target)
            until(
                lambda one=execution: project.json("show", one)["status"] == "completed",
                f"the run of {target}",
            )
        assert "processes" in project.run("status").stdout
        all_of_it = family(run.process.pid)
    assert run.process.returncode == 0
    wait_gone(all_of_it)
    printed = [line for line in run.lines() if line["message"] == "a line of its own"]
    assert [line["process"] for line in printed] == ["combined"]
    ends = [
        line["message"].split()[0] for line in run.lines() if "ended with exit status 0" in line["message"]
    ]
    assert sorted(name for name in ends if name in names) == sorted(names)
    assert project.json("status")["workers"] == []


def test_a_storm_of_sigterm_interrupts_once_and_ends_in_order(tmp_path):
    project = Project(tmp_path, CONFIG.replace("20s", "10m"), jobs=JOBS)
    with tree(project) as run:
        execution = project.trigger("long")
        until(lambda: project.json("show", execution)["status"] == "running", "the run")
        all_of_it = family(run.process.pid)
        for _ in range(200):
            run.process.send_signal(signal.SIGTERM)
            time.sleep(0.001)
        assert run.process.wait(60) == 0
    wait_gone(all_of_it)
    assert run.log().count("every process interrupts") == 1
    record = project.json("show", execution)
    assert (record["status"], record["attempt"]) == ("queued", 0)


def test_one_sigterm_drains_and_the_run_finishes(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        execution = project.trigger("long")
        until(lambda: project.json("show", execution)["status"] == "running", "the run")
        run.process.send_signal(signal.SIGTERM)
        until(lambda: "draining" in run.log(), "the drain")
        (tmp_path / "let-go").touch()
        assert run.process.wait(60) == 0
    assert project.json("show", execution)["status"] == "completed"


def test_signals_are_passed_on_to_every_child(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        run.process.send_signal(signal.SIGTSTP)
        until(lambda: run.log().count("no new work is claimed") == 4, "four pauses")
        run.process.send_signal(signal.SIGUSR1)
        until(lambda: sum(line["message"].endswith(" slots") for line in run.lines()) == 4, "four reports")
        run.process.send_signal(signal.SIGCONT)
        until(lambda: run.log().count("claiming work again") == 4, "four resumptions")


def test_sighup_starts_what_is_new_stops_what_is_gone_and_leaves_the_rest(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        before = {name: run.ups(name)[0] for name in ("combined", "worker-mail", "worker-media")}
        (tmp_path / "config.toml").write_text(CONFIG.replace("media", "video"))
        run.process.send_signal(signal.SIGHUP)
        until(lambda: run.ups("worker-video"), "the new process")
        wait_gone({before["worker-media"]})
        run.wait_again("combined", before["combined"])  # it serves media now, and video no more
        workers = {worker["pid"]: worker["topics"] for worker in project.json("status")["workers"]}
        assert workers[run.ups("worker-video")[0]] == ["video"]
        assert run.ups("worker-mail") == [before["worker-mail"]]
        (tmp_path / "config.toml").write_text("no_such_key = 1")
        run.process.send_signal(signal.SIGHUP)
        until(lambda: "the processes stay as they are" in run.log(), "the refusal")
        assert run.ups("worker-mail") == [before["worker-mail"]]
    assert run.process.returncode == 0


def test_sigterm_to_one_child_is_a_rolling_restart_and_a_paused_tree_stays_paused(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    with tree(project) as run:
        run.process.send_signal(signal.SIGTSTP)
        until(lambda: run.log().count("no new work is claimed") == 4, "four pauses")
        pid = run.ups("worker-mail")[0]
        os.kill(pid, signal.SIGTERM)
        run.wait_again("worker-mail", pid)
        assert "in order; it is started again" in run.log()
        until(lambda: run.log().count("no new work is claimed") == 5, "the pause of the new one")
    assert run.process.returncode == 0


@pytest.mark.parametrize(
    ("config", "status", "why"),
    [
        ('[[groups]]\ntopic = "mail"\nscaling = { mode = "distributed", concurrency = 0 }', 78, "E013"),
        ('[metrics]\nlisten = "127.0.0.1:0"\n[telemetry]', 78, "E010"),
        (
            'queue_provider = "redis"\nconnect_timeout = "300ms"\n[connections]\nredis_url = "redis://127.0.0.1:9"',
            69,
            "127.0.0.1:9",
        ),
    ],
)
def test_a_child_that_cannot_boot_ends_the_tree_with_its_status(tmp_path, config, status, why):
    project = Project(tmp_path, config, jobs=JOBS)
    with tree(project, wait=False) as run:
        assert run.process.wait(90) == status
    assert why in run.log()
    assert "is started again" not in run.log()


def test_a_tree_with_drain_ends_by_itself_once_the_queues_are_empty(tmp_path):
    project = Project(tmp_path, CONFIG, jobs=JOBS)
    (tmp_path / "let-go").touch()
    executions = [project.trigger(target) for target in ("long", "quick", "quick")]
    with tree(project, "--drain", wait=False) as run:
        assert run.process.wait(60) == 0
    assert {project.json("show", one)["status"] for one in executions} == {"completed"}
