"""`workers permissions record` as a user calls it: TOML to paste, JSON in its shape, an exit status that tells."""

import json
import signal
import subprocess
import sys
import tomllib

import pytest

from support.daemons import alive, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(120),
    pytest.mark.skipif(sys.platform != "linux", reason="programs are watched by Linux only"),
]
TASK = """
[[tasks]]
id = "{id}"
type = "shell"
entrypoint = "{id}.sh"
max_retries = 0
"""


@pytest.fixture
def shop(shop):
    """The project, with a task for each test of its own."""

    def task(id, text, more=""):
        folder = shop.directory / "workers" / "tasks"
        folder.mkdir(exist_ok=True)
        (folder / f"{id}.sh").write_text(text)
        with (shop.directory / "config.toml").open("a") as file:
            file.write(TASK.format(id=id) + more)

    shop.task = task
    (shop.directory / "orders.csv").write_text("apples\n")
    return shop


def test_what_is_printed_can_be_pasted_and_is_enough(shop):
    shop.task("import-orders", "set -e\nread -r _ < orders.csv\ngzip --version > /dev/null\n")
    done = shop.workers("permissions", "record", "import-orders")
    assert tomllib.loads(done.stdout)["permissions"] == {"read": ["./orders.csv"], "run": ["gzip"]}
    assert "Verified: a second run with these permissions" in done.stderr
    config = shop.directory / "config.toml"
    config.write_text(config.read_text() + done.stdout)
    shop.workers("exec", "import-orders")
    listed = next(each for each in shop.json("tasks") if each["id"] == "import-orders")
    assert listed["permissions"]["run"] == ["gzip"]
    assert "read, run" in shop.workers("tasks").stdout


def test_the_json_has_its_documented_shape(shop):
    shop.task("look", 'echo "$HOME" "$TASK_PAYLOAD"\nread -r _ < orders.csv\n')
    found = json.loads(shop.workers("permissions", "record", "look", "--no-verify", "--json").stdout)
    assert list(found) == ["jobId", "permissions", "guessed", "notes", "toml", "recorded", "verified"]
    assert found["jobId"] == "look"
    assert found["guessed"] == ["HOME"]
    assert found["permissions"] == {"read": ["./orders.csv"], "env": ["HOME"]}
    assert found["recorded"] == {"succeeded": True, "exitCode": 0, "error": None}
    assert found["verified"] is None
    assert tomllib.loads(found["toml"])["permissions"] == found["permissions"]
    assert "# a guess: HOME" in found["toml"]


def test_a_run_that_fails_still_proposes_and_ends_with_1(shop):
    shop.task("fail-late", "read -r _ < orders.csv\nexit 3\n")
    done = shop.workers("permissions", "record", "fail-late", check=False)
    assert done.returncode == 1
    assert tomllib.loads(done.stdout)["permissions"] == {"read": ["./orders.csv"]}
    assert done.stdout.startswith(
        "# the run failed, so this may not be all: the program ended with exit status 3"
    )
    assert "It was not run again" in done.stderr


def test_a_proposal_that_is_not_enough_ends_with_1(shop):
    (shop.directory / "made").mkdir()
    shop.task("twice", "set -e\nif [ -e made/once ]; then read -r _ < orders.csv; fi\n: > made/once\n")
    done = shop.workers("permissions", "record", "twice", check=False)
    assert done.returncode == 1
    assert "These permissions are not enough: permission denied (read: " in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("hello",), 2, "is a job; only tasks"),
        (("no-such-task",), 1, "no job or task has the id"),
        (("hello", "--payload", "[1]"), 1, "must be a JSON object"),
    ],
)
def test_what_cannot_be_recorded_is_said(shop, arguments, status, words):
    done = shop.workers("permissions", "record", *arguments, check=False)
    assert done.returncode == status, done.stderr
    assert words in done.stderr


def test_a_runner_mode_for_a_task_is_refused(shop):
    shop.task("plain", "true\n")
    done = shop.workers("exec", "plain", "--runtime", "in-process", check=False)
    assert done.returncode == 2
    assert "is a task, which is a program of its own" in done.stderr


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
@pytest.mark.leaves("file")  # kill -9 leaves no time to remove the notes
def test_a_watched_program_ends_with_the_command(shop, how):
    name = f"long-{how.name.lower()}"
    shop.task(name, f"echo $$ > {name}.pid\nsleep 600 &\nwait\n")
    command = [sys.executable, "-m", "netscript_workers", "permissions", "record", name]
    file = shop.directory / f"{name}.pid"
    with subprocess.Popen(
        command,
        cwd=shop.directory,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            until(lambda: file.exists() and file.read_text().strip(), "the program")
            process.send_signal(how)
            process.wait(30)
        finally:
            process.kill()
    until(lambda: not alive(int(file.read_text())), "the end of the program")
