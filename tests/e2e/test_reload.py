"""SIGHUP and `--watch` on real daemons: the new configuration and code, whole or not at all."""

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from netscript_workers.processes.tree import descendants_of
from support.daemons import Project, alive, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

JOB = """
import asyncio, os
from netscript_workers import job

@job("tell")
async def tell(ctx):
    ctx.report_progress(1, "under way")
    while ctx.payload.get("gate") and not os.path.exists(ctx.payload["gate"]):
        await asyncio.sleep(0.02)
    return {"version": VERSION}
"""


def job(version: int) -> str:
    return JOB.replace("VERSION", str(version))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path / "p", "concurrency = 2\n", tell=job(1))


def write(project: Project, version: int, name: str = "tell", text: str | None = None) -> None:
    (project.folder / "workers" / "jobs" / f"{name}.py").write_text(text or job(version))


def configure(project: Project, text: str) -> None:
    (project.folder / "config.toml").write_text(text)


def up(project: Project) -> None:
    until(lambda: "is up" in project.log(), "the daemon")


def reload(daemon: subprocess.Popen[bytes], project: Project, *, answer: str = "reloaded: ") -> str:
    """Ask for a reload, wait for its answer, and return what the log says from then on."""
    before = len(project.log())
    daemon.send_signal(signal.SIGHUP)
    until(lambda: answer in project.log()[before:], answer)
    return project.log()[before:]


def run(project: Project, target: str = "tell", payload: object = None) -> dict:
    arguments = ["--payload", json.dumps(payload)] if payload is not None else []
    done = project.run("trigger", target, "--wait", "--json", *arguments)
    return json.loads(done.stdout)


def version_of(record: dict) -> int:
    assert record["status"] == "completed", record
    return record["result"]["version"]


@pytest.mark.parametrize("mode", ["in-process", "web-worker", "subprocess"])
def test_new_code_is_run_after_sighup_and_a_run_under_way_ends_on_the_old(project: Project, mode: str):
    gate = project.folder / "gate"
    with project.daemon("--runtime", mode) as daemon:
        up(project)
        assert version_of(run(project)) == 1
        old = project.trigger("tell", {"gate": str(gate)})
        until(lambda: project.json("show", old)["progress"], "the run under way")
        write(project, 2)
        write(project, 0, "more", job(7).replace('"tell"', '"more"'))
        said = reload(daemon, project)
        assert "targets added: more; changed: none; removed: none" in said
        assert version_of(run(project)) == 2
        assert version_of(run(project, "more")) == 7
        gate.touch()
        until(lambda: project.json("show", old)["status"] == "completed", "the old run")
        assert project.json("show", old)["result"] == {"version": 1}
        assert project.json("show", old)["attempt"] == 1
    assert daemon.returncode == 0


def test_groups_and_limits_are_added_changed_and_taken_away(project: Project):
    gate = project.folder / "gate"
    write(project, 0, "letter", job(1).replace('@job("tell")', '@job("letter", topic="mail")'))
    configure(project, '[[groups]]\ntopic = "mail"\nscaling = { concurrency = 1 }\n')
    with project.daemon("--topic", "default", "--topic", "mail") as daemon:
        up(project)
        old = project.trigger("letter", {"gate": str(gate)})
        until(lambda: project.json("show", old)["status"] == "running", "the letter")
        configure(
            project,
            'concurrency = 5\n[[groups]]\ntopic = "mail"\nscaling = { concurrency = 3 }\nretention = { kv_days = 2 }\n',
        )
        said = reload(daemon, project)
        assert "lanes default (2), mail (1); 3 slots → default (5), mail (3); 8 slots" in said
        assert "concurrency = 5" in said
        (worker,) = project.json("status")["workers"]
        until(lambda: project.json("status")["workers"][0]["slots"]["total"] == 8, "8 slots in status")
        assert worker["topics"] == ["default", "mail"]
        configure(project, "concurrency = 1\n")
        assert "→ default+mail (1); 1 slots" in reload(daemon, project)
        gate.touch()
        until(lambda: project.json("show", old)["status"] == "completed", "the letter")
        assert version_of(run(project, "letter")) == 1


def test_a_bad_config_is_refused_with_every_error_and_the_old_one_stays(project: Project):
    with project.daemon() as daemon:
        up(project)
        write(project, 2)
        configure(project, 'concurrency = 0\nlese = 3\n[log]\nlevel = "loud"\n')
        said = reload(daemon, project, answer="nothing was reloaded")
        for key in ("concurrency", "lese", "log.level"):
            assert key in said
        configure(project, "concurrency = 2\n[broken\n")
        reload(daemon, project, answer="nothing was reloaded")
        configure(project, "concurrency = 2\n")  # for the command below
        assert version_of(run(project)) == 1
        write(
            project, 0, "twin", job(3)
        )  # a second target of the same id: `validate` fails, and so does this
        configure(project, "concurrency = 3\n")
        assert "two targets have the id 'tell'" in reload(daemon, project, answer="nothing was reloaded")
        (project.folder / "workers" / "jobs" / "twin.py").unlink()
        reload(daemon, project)
        assert version_of(run(project)) == 2


def test_a_module_that_fails_to_import_is_reported_its_runs_are_retried_and_the_rest_is_reloaded(
    project: Project,
):
    write(project, 0, "other", job(1).replace('"tell"', '"other"'))
    with project.daemon() as daemon:
        up(project)
        waiting = project.json("trigger", "tell", "--delay", "8s")["executionId"]
        write(project, 0, text="import nothing_of_that_name\n")
        write(project, 0, "other", job(2).replace('"tell"', '"other"'))
        said = reload(daemon, project)
        assert "E101" in said
        assert "nothing_of_that_name" in said
        assert version_of(run(project, "other")) == 2
        until(lambda: "nothing_of_that_name" in (project.json("show", waiting)["error"] or ""), "its error")
        write(project, 3)
        reload(daemon, project)
        until(lambda: project.json("show", waiting)["status"] == "completed", "the retry on mended code")
        assert project.json("show", waiting)["result"] == {"version": 3}


def test_what_needs_a_restart_is_named_and_not_applied_and_secrets_are_masked(project: Project):
    with project.daemon() as daemon:
        up(project)
        configure(
            project,
            'queue_name = "other"\nlease = "9s"\nshutdown_timeout = "7s"\n[log]\nlevel = "debug"\n'
            '[connections]\nredis_url = "redis://me:s3cret@nowhere:1/0"\n',
        )
        said = reload(daemon, project, answer="lease = 9000 waits for a restart")
        assert "queue_name = other waits for a restart" in said
        assert "connections.redis_url = redis://***@nowhere:1/0 waits for a restart" in said
        assert "shutdown_timeout = 7000, log.level = debug" in said
        assert "s3cret" not in project.log()
        configure(project, "concurrency = 2\n")
        assert version_of(run(project)) == 1  # still on the queue it began with


def test_a_storm_of_sighups_ends_in_the_last_state_with_one_zygote_and_nothing_lost(project: Project):
    with project.daemon() as daemon:
        up(project)
        ids = []
        for version in range(2, 8):
            write(project, version)
            for _ in range(50):
                daemon.send_signal(signal.SIGHUP)
            ids.append(project.trigger("tell"))
        done = project.log().count("reloaded: ")
        daemon.send_signal(signal.SIGHUP)
        until(
            lambda: project.log().count("reloaded: ") > done + 1 or version_of(run(project)) == 7,
            "the last one",
        )
        until(lambda: zygotes(daemon.pid) == 1, "one zygote")
        until(lambda: all(project.json("show", one)["status"] == "completed" for one in ids), "every run")
        assert all(project.json("show", one)["attempt"] == 1 for one in ids)
        assert version_of(run(project)) == 7
    assert daemon.returncode == 0


def zygotes(pid: int) -> int:
    found = 0
    for child in descendants_of(pid):
        try:
            found += b"netscript_workers.runners.zygote" in Path(f"/proc/{child}/cmdline").read_bytes() and (
                Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[1] == str(pid)
            )
        except OSError:
            continue
    return found


def test_a_daemon_that_drains_reloads_no_more_and_one_under_way_is_given_up(project: Project):
    gate = project.folder / "gate"
    with project.daemon() as daemon:
        up(project)
        old = project.trigger("tell", {"gate": str(gate)})
        until(lambda: project.json("show", old)["status"] == "running", "the run")
        write(project, 0, text=job(2) + "\nimport time\ntime.sleep(60)\n")
        daemon.send_signal(signal.SIGHUP)
        until(lambda: "reloading: SIGHUP" in project.log(), "the reload")
        family = descendants_of(daemon.pid)
        daemon.send_signal(signal.SIGTERM)
        until(lambda: "draining: 1 runs" in project.log(), "the drain")
        daemon.send_signal(signal.SIGHUP)
        until(lambda: "SIGHUP: not while stopping" in project.log(), "the refusal")
        gate.touch()
        assert daemon.wait(45) == 0
    assert "reloaded: " not in project.log()
    until(lambda: not [pid for pid in family if alive(pid)], "the end of all processes")
    assert project.json("show", old)["result"] == {"version": 1}


def test_a_daemon_killed_in_the_middle_of_a_reload_leaves_no_process(project: Project):
    daemon = project.start()
    try:
        up(project)
        write(project, 0, text=job(2) + "\nimport time\ntime.sleep(60)\n")
        daemon.send_signal(signal.SIGHUP)
        until(
            lambda: "reloading: SIGHUP" in project.log() and len(descendants_of(daemon.pid)) >= 2, "the scan"
        )
        family = descendants_of(daemon.pid)
    finally:
        os.kill(daemon.pid, signal.SIGKILL)
        daemon.wait(45)
    until(lambda: not [pid for pid in family if alive(pid)], "the end of all processes")


def test_watch_reloads_by_itself_when_a_module_or_the_config_changes(project: Project):
    with project.daemon("--watch"):
        up(project)
        time.sleep(
            0.6
        )  # not for a condition: the change is to come after the first look, as an editor's would
        write(project, 2)
        until(lambda: "tell.py changed" in project.log() and "reloaded: " in project.log(), "the reload")
        assert version_of(run(project)) == 2
        configure(project, "concurrency = 4\n")
        until(lambda: "concurrency = 4" in project.log(), "the config")
        write(project, 0, text="def broken(:\n")
        until(lambda: "E101" in project.log(), "the report")
        write(project, 3)
        until(lambda: version_of(run(project)) == 3, "the mended module")
