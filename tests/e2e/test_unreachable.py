"""A store that cannot be reached: what commands and daemons say, and how a daemon waits for it."""

import time

import pytest

from support.daemons import Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]

CONFIG = """
runtime = "in-process"
connect_timeout = "{timeout}"
[connections]
deno_kv_path = "data/queue.db"
"""
NOTE = "from netscript_workers import job\n\n@job('note')\nasync def note(ctx):\n    return 1\n"


@pytest.fixture
def blocked(tmp_path):
    """Return a project whose queue cannot be made, since a file is where its directory should be."""

    def made(timeout: str) -> Project:
        project = Project(tmp_path, CONFIG.format(timeout=timeout), note=NOTE)
        (tmp_path / "data").write_text("in the way")
        return project

    return made


@pytest.mark.parametrize(
    "command", [["status"], ["trigger", "note"], ["executions"], ["dead", "list"], ["pause", "x"]]
)
def test_a_command_ends_with_69_and_names_file_setting_and_remedy(blocked, command, tmp_path):
    done = blocked("1s").run(*command)
    assert done.returncode == 69, done
    assert str(tmp_path / "data") in done.stderr
    assert f"named by connections.deno_kv_path in {tmp_path / 'config.toml'}, line 5" in done.stderr
    assert "set connections.deno_kv_path to a place this user may write" in done.stderr


def test_a_daemon_tries_for_connect_timeout_and_then_ends_with_69(blocked):
    project = blocked("1s")
    daemon = project.start()
    assert daemon.wait(60) == 69
    log = project.log()
    assert log.count("cannot reach the queue yet") >= 2
    assert "gave up reaching the queue" in log
    assert "line 5" in log


def test_a_daemon_comes_up_once_its_store_can_be_reached(blocked, tmp_path):
    project = blocked("5m")
    daemon = project.start()
    try:
        until(lambda: "cannot reach the queue yet" in project.log(), "a failure in the log")
        assert daemon.poll() is None
        (tmp_path / "data").unlink()
        until(lambda: "is up" in project.log(), "the daemon")
        assert "reached the queue after" in project.log()
        assert project.json("trigger", "note", "--wait")["status"] == "completed"
        assert project.json("status")["workers"][0]["degraded"] is None
    finally:
        daemon.terminate()
        assert daemon.wait(45) == 0


def test_a_daemon_that_waits_for_its_store_ends_at_once_when_told_to(blocked):
    project = blocked("10m")
    daemon = project.start()
    until(lambda: "cannot reach the queue yet" in project.log(), "a failure in the log")
    time.sleep(0.5)  # into one of the longer pauses
    daemon.terminate()
    assert daemon.wait(20) == 0


def test_validate_reaches_the_store_and_makes_nothing(blocked, tmp_path):
    project = blocked("1s")
    refused = project.run("validate", "--connect")
    assert refused.returncode == 1
    assert "E029" in refused.stdout
    assert "line 5" in refused.stdout
    (tmp_path / "data").unlink()
    assert project.run("validate", "--connect").returncode == 0
    assert not (tmp_path / "data").exists()


def test_a_remote_deno_kv_is_refused_by_every_command(tmp_path):
    project = Project(tmp_path, '[connections]\ndeno_kv_path = "https://api.deno.com/databases/x/connect"\n')
    for command, status in ((["validate"], 1), (["status"], 78), (["combined"], 78)):
        done = project.run(*command)
        assert done.returncode == status, done
        assert "remote Deno KV is not served" in done.stdout + done.stderr
        assert "E019" in done.stdout + done.stderr
