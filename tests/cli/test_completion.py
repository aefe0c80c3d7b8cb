"""What the shell completes is read from the files, without running them."""

import os
import subprocess
import sys

import pytest

from netscript_workers.cli import completion

MODULE = """
from netscript_workers import job
raise SystemExit("imported")

@job("send-mail", topic="mail")
async def send_mail(ctx): ...

@job(id="report")
def report(ctx): ...
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    jobs = tmp_path / "workers" / "jobs" / "deep"
    jobs.mkdir(parents=True)
    (jobs / "several.py").write_text(MODULE)
    (jobs.parent / "plain_name.py").write_text("def handler(ctx): ...\n")
    (jobs.parent / "_hidden.py").write_text("def handler(ctx): ...\n")
    (jobs.parent / "broken.py").write_text("def handler(:\n")
    (tmp_path / "config.toml").write_text(
        '[[groups]]\ntopic = "heavy"\n[[groups.jobs]]\nid = "listed"\nentrypoint = "several.py"\n'
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_targets_come_from_the_config_and_from_every_module_that_can_be_parsed(project):
    assert completion.targets("") == ["listed", "plain-name", "report", "send-mail"]
    assert completion.targets("se") == ["send-mail"]


def test_topics_come_from_groups_and_decorators(project):
    assert completion.topics("") == ["default", "heavy", "mail"]
    assert completion.topics("h") == ["heavy"]


def test_nothing_is_completed_where_the_config_is_broken(project):
    (project / "config.toml").write_text("concurrency = [")
    assert completion.targets("") == []
    assert completion.topics("") == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("workers trigger s", "send-mail"),
        ("workers pause h", "heavy"),
        ("workers exec pl", "plain-name"),
        ("workers dead re", "requeue"),
        ("workers executions --status co", "completed"),
    ],
)
def test_the_shell_completes_ids_topics_commands_and_choices(project, words, expected):
    done = subprocess.run(
        [sys.executable, "-m", "netscript_workers"],
        cwd=project,
        env={
            **os.environ,
            "_WORKERS_COMPLETE": "complete_bash",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split()) - 1),
        },
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.stdout.split() == [expected], done.stderr
