"""Jobs with permissions and limits, run by the real daemon from the real command line."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import searching
from support.daemons import PATIENCE_S, WORKERS, Project, until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
]
CONFIG = """
runtime = "in-process"

[[jobs]]
id = "shows"
entrypoint = "held.py:shows"
permissions = { env = ["SHOP_TOKEN", "REDIS_URL"] }

[[jobs]]
id = "reads"
entrypoint = "held.py:reads"
permissions = "none"
max_retries = 0

[[jobs]]
id = "finds"
entrypoint = "held.py:finds"
permissions = { read = ["./data"] }
max_retries = 0

[[jobs]]
id = "grows"
entrypoint = "held.py:grows"
limits = { memory = "400M" }
max_retries = 0
"""
MODULE = """
import os

def shows(ctx):
    return {"names": sorted(os.environ), "pid": os.getppid()}

def reads(ctx, payload: dict):
    return open(payload["path"]).read()

def finds(ctx):
    import installed_elsewhere
    return [os.getcwd(), open("data/file").read(), installed_elsewhere.WORD]

def grows(ctx):
    return len(b"x" * 900_000_000)
"""


@pytest.fixture
def project(tmp_path, monkeypatch) -> Project:
    monkeypatch.setenv("SHOP_TOKEN", "of-the-shop")
    monkeypatch.setenv("UNNAMED", "not for the job")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2hunter2@127.0.0.1:1/0")
    return Project(tmp_path / "p", 'queue_provider = "deno-kv"\n' + CONFIG, held=MODULE)


def test_a_job_sees_the_variables_it_names_and_a_secret_only_when_it_names_it(project):
    with project.daemon():
        names = project.json("trigger", "shows", "--wait")["result"]["names"]
    assert {"SHOP_TOKEN", "REDIS_URL"} <= set(names)
    assert "UNNAMED" not in names


def test_a_denied_job_is_dead_with_its_own_cause_and_the_line_that_would_allow_it(project, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    with project.daemon():
        done = project.run("trigger", "reads", "--payload", f'{{"path": "{secret}"}}', "--wait", "--json")
        assert done.returncode == 1
        (dead,) = project.json("dead", "list")
        assert f'read = ["{secret}"]' in dead["execution"]["error"]
        shown = project.run("show", dead["execution"]["id"]).stdout
        assert "permission-denied" in shown


def test_a_job_over_its_memory_limit_fails_and_the_daemon_goes_on(project):
    with project.daemon():
        done = project.run("trigger", "grows", "--wait", "--json")
        assert done.returncode == 1
        assert "MemoryError" in done.stdout
        assert project.json("trigger", "shows", "--wait")["status"] == "completed"


def test_exec_confines_a_job_as_the_daemon_does(project, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("x")
    done = project.run("exec", "reads", "--payload", f'{{"path": "{secret}"}}')
    assert done.returncode == 1
    assert "permission denied" in done.stderr


LOOKING = '[[jobs]]\nid = "{id}"\nentrypoint = "{id}.py:looks"\npermissions = {grant}\n'
LOOKS = "import _searching\n\ndef looks(ctx):\n    return _searching.search()\n"
NAMES = '{ env = ["SHOP_TOKEN"] }'


def test_no_job_finds_the_secret_that_another_names_nor_after_a_reload_that_changes_the_grants(
    tmp_path, monkeypatch
):
    secret = "THE-VALUE-OF-TOKEN-" + "0123456789abcdef" * 2
    monkeypatch.setenv("SHOP_TOKEN", secret)

    def config(one: str, two: str) -> str:
        text = LOOKING.replace("{id}", "one").replace("{grant}", one)
        return text + LOOKING.replace("{id}", "two").replace("{grant}", two)

    def found(id: str) -> list[list[str]]:
        return list(project.json("trigger", id, "--wait")["result"].values())

    files = {"one": LOOKS, "two": LOOKS, "_searching": Path(searching.__file__).read_text()}
    project = Project(tmp_path / "p", config(NAMES, '"none"'), **files)
    with project.daemon() as daemon:
        assert [secret] in found("one")
        assert not any(found("two"))
        (project.folder / "config.toml").write_text(config('"none"', NAMES))
        daemon.send_signal(signal.SIGHUP)
        until(lambda: "reloaded: " in project.log(), "the reload")
        assert not any(found("one"))
        assert [secret] in found("two")


def test_a_runtime_on_the_command_line_that_a_confined_job_does_not_get_is_said(project):
    words = "--runtime in-process does not hold for"
    done = project.run("exec", "shows", "--runtime", "in-process")
    assert done.returncode == 0, done.stderr
    assert f"{words} “shows”: permissions and limits can only hold a process of its own" in done.stderr
    assert words not in project.run("exec", "shows").stderr
    with project.daemon("--runtime", "in-process", "--drain") as daemon:
        daemon.wait(PATIENCE_S)
    assert f"{words} “finds”, “grows”, “reads”, “shows”" in project.log()


def test_a_confined_job_works_where_the_daemon_was_started_and_finds_what_is_installed(
    project, tmp_path, monkeypatch
):
    elsewhere, installed = tmp_path / "elsewhere", tmp_path / "installed"
    (elsewhere / "data").mkdir(parents=True)
    (elsewhere / "data" / "file").write_text("granted")
    installed.mkdir()
    (installed / "installed_elsewhere.py").write_text("WORD = 'found'")
    monkeypatch.setenv("PYTHONPATH", str(installed))
    done = subprocess.run(
        [WORKERS, "exec", "finds", "--config", str(project.folder / "config.toml")],
        cwd=elsewhere,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [str(elsewhere), "granted", "found"]
