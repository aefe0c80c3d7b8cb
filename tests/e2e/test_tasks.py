"""Tasks share everything with jobs: the queue, retries, max_concurrency, cancellation, history, drain."""

from pathlib import Path

import pytest

from support.daemons import Project, alive, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

CONFIG = """
concurrency = 4

[[tasks]]
id = "tells"
type = "shell"
entrypoint = "tells.sh"
args = ["one two"]

[[tasks]]
id = "flaky"
type = "shell"
entrypoint = "flaky.sh"
max_retries = 2
retry_delay = 0

[[tasks]]
id = "slow"
type = "shell"
entrypoint = "slow.sh"
timeout = "500ms"
max_retries = 0

[[tasks]]
id = "hangs"
type = "shell"
entrypoint = "hangs.sh"

[[tasks]]
id = "alone"
type = "shell"
entrypoint = "alone.sh"

[[tasks]]
id = "passing"
type = "shell"
entrypoint = "tells.sh"
persist = false

[connections]
redis_url = "env:MY_QUEUE"
"""
SCRIPTS = {
    "tells.sh": 'echo "line of $TASK_ID $ATTEMPT"; echo \'::progress 40 half way\'; echo "{\\"arg\\": \\"$1\\"}"',
    "flaky.sh": '[ "$ATTEMPT" = 3 ] || { echo "not yet" >&2; exit 4; }; echo \'{"done": true}\'',
    "slow.sh": "sleep 300 & echo $! > slow.pid; wait",
    "hangs.sh": "sleep 300 & echo $! > hangs.pid; wait",
    "alone.sh": "mkdir alone || exit 9; sleep 0.2; rmdir alone; echo '{\"ok\": true}'",
    "leaks.sh": "env",
}


@pytest.fixture
def project(tmp_path) -> Project:
    made = Project(tmp_path / "p", 'queue_provider = "deno-kv"\n' + CONFIG)
    tasks = made.folder / "workers" / "tasks"
    tasks.mkdir()
    for name, text in SCRIPTS.items():
        (tasks / name).write_text(text + "\n")
    return made


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("MY_QUEUE", "redis://:hunter2hunter2@127.0.0.1:1/0")


def read(path: Path) -> str:
    return path.read_text().strip() if path.exists() else ""


def test_a_task_is_triggered_run_and_recorded_like_a_job(project):
    with project.daemon():
        record = project.json("trigger", "tells", "--wait", "--payload", '{"a": 1}')
        assert (record["concept"], record["jobId"], record["status"]) == ("task", "tells", "completed")
        assert (record["result"], record["exitCode"]) == ({"arg": "one two"}, 0)
        assert record["progress"] == {"percent": 40.0, "message": "half way"}
        lines = project.json("logs", record["id"])
        assert ("stdout", "info", "line of tells 1") in [(e["stream"], e["level"], e["line"]) for e in lines]


def test_a_failed_task_is_retried_until_it_ends_well(project):
    with project.daemon():
        record = project.json("trigger", "flaky", "--wait")
    assert (record["status"], record["attempt"], record["result"]) == ("completed", 3, {"done": True})


def test_a_task_over_its_timeout_is_a_dead_letter_and_nothing_of_it_is_left(project):
    with project.daemon():
        done = project.run("trigger", "slow", "--wait", "--json")
        assert done.returncode == 1
        (dead,) = project.json("dead", "list")
        assert dead["execution"]["status"] == "timeout"
        assert not alive(int(read(project.folder / "slow.pid")))


def test_cancelling_a_task_ends_its_program(project):
    with project.daemon():
        execution = project.trigger("hangs")
        until(lambda: read(project.folder / "hangs.pid"), "the program")
        assert project.run("cancel", execution).returncode == 0
        until(lambda: project.json("show", execution)["status"] == "cancelled", "the cancellation")
        assert not alive(int(read(project.folder / "hangs.pid")))


def test_one_task_runs_once_at_a_time_across_all_workers_unless_told_otherwise(project):
    for _ in range(6):
        project.trigger("alone")
    with project.daemon(), project.daemon("--drain") as other:
        other.wait(60)
        until(
            lambda: (
                {each["status"] for each in project.json("executions", "--job", "alone")} == {"completed"}
            ),
            "all six",
        )


def test_a_drain_runs_tasks_to_the_end(project):
    ids = [project.trigger("tells") for _ in range(5)]
    with project.daemon("--drain") as daemon:
        assert daemon.wait(60) == 0
    assert {project.json("show", each)["status"] for each in ids} == {"completed"}


def test_a_shutdown_gives_an_interrupted_task_back(project):
    with (project.folder / "config.toml").open("r+") as file:
        text = file.read()
        file.seek(0)
        file.write('shutdown_timeout = "100ms"\n' + text)
    with project.daemon() as daemon:
        execution = project.trigger("hangs")
        until(lambda: read(project.folder / "hangs.pid"), "the program")
        daemon.terminate()
        assert daemon.wait(60) == 0
    assert not alive(int(read(project.folder / "hangs.pid")))
    record = project.json("show", execution)
    assert (record["status"], record["attempt"]) == ("queued", 0)


def test_a_task_that_is_not_to_persist_has_its_end_told_and_no_long_life(project):
    with project.daemon():
        record = project.json("trigger", "passing", "--wait")
    assert record["status"] == "completed"


def test_no_secret_of_the_daemon_reaches_a_program_that_does_not_name_it(project, monkeypatch):
    socket = project.folder / "notify"
    monkeypatch.setenv("NOTIFY_SOCKET", str(socket))
    monkeypatch.setenv("WATCHDOG_USEC", "30000000")
    monkeypatch.setenv("HARMLESS", "yes")
    with (project.folder / "config.toml").open("a") as file:
        file.write('\n[api]\ntoken = "env:MY_TOKEN"\n')
    monkeypatch.setenv("MY_TOKEN", "sesame-sesame")
    config = project.folder / "config.toml"
    config.write_text(config.read_text().replace('entrypoint = "flaky.sh"', 'entrypoint = "leaks.sh"'))
    done = project.run("exec", "flaky")
    assert done.returncode == 0, done.stderr
    assert "HARMLESS=yes" in done.stderr
    for hidden in ("hunter2", "sesame", "NOTIFY_SOCKET", "WATCHDOG_USEC", "MY_QUEUE"):
        assert hidden not in done.stderr
