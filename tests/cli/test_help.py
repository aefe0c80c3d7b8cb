"""Every command explains itself, and asking for help loads nothing that is slow."""

import re
import subprocess
import sys

import pytest
import typer.main

from netscript_workers.cli import run
from netscript_workers.cli.app import NOUNS, build

VARIABLES = {
    "--config": "WORKERS_CONFIG",
    "--concurrency": "WORKERS_CONCURRENCY",
    "--runtime": "WORKER_RUNTIMES",
    "--provider": "WORKERS_QUEUE_PROVIDER",
    "--log-level": "WORKERS_LOG_LEVEL",
    "--log-format": "WORKERS_LOG_FORMAT",
}
COMMANDS = {
    *(
        "run",
        "combined",
        "worker",
        "scheduler",
        "schedule",
        "validate",
        "trigger",
        "executions",
        "show",
        "logs",
        "cancel",
        "retry",
    ),
    *("dead list", "dead requeue", "dead purge", "pause", "resume", "status", "jobs", "tasks"),
    *("top", "why", "health"),
    *(
        "init",
        "add job",
        "add task",
        "exec",
        "permissions record",
        "schema",
        "doctor",
        "systemd",
        "conformance",
        "bench",
        "db status",
        "db upgrade",
    ),
}


def walk(command, path=()):
    """Yield every command that does something, with its words."""
    if not hasattr(command, "commands"):
        yield " ".join(path), command
        return
    for name, child in command.commands.items():
        yield from walk(child, (*path, name))


ALL = dict(walk(typer.main.get_command(build())))


def test_every_command_of_the_issue_is_there_and_no_other():
    assert set(ALL) == COMMANDS


@pytest.mark.parametrize("noun", NOUNS)
def test_a_command_is_found_without_the_files_of_others(noun):
    for command in NOUNS[noun]:
        assert set(typer.main.get_command(build(command)).commands) == set(NOUNS[noun])


@pytest.mark.parametrize("name", ALL)
def test_every_command_has_help_and_an_example_of_itself(name, capsys):
    assert run([*name.split(), "--help"]) == 0
    text = capsys.readouterr().out
    assert ALL[name].help
    assert ALL[name].get_short_help_str(limit=200).endswith((".", "JSON.", "validate"))
    examples = text.partition("Examples:\n")[2].splitlines()
    assert any(f"workers {name}" in line for line in examples), text


@pytest.mark.parametrize("name", ALL)
def test_every_option_says_what_it_does_and_which_variable_it_has(name):
    for option in ALL[name].params:
        flag = max(option.opts, key=len)
        assert option.help, f"{name} {flag}"
        if flag in VARIABLES and (name, flag) != ("add task", "--runtime"):  # that one is a task's type
            assert f"[env: {VARIABLES[flag]}]" in option.help, f"{name} {flag}"


@pytest.mark.parametrize("name", [name for name in ALL if name not in {"init", "bench", "schema"}])
def test_every_command_that_reads_a_config_takes_the_same_option_for_it(name):
    options = {flag for option in ALL[name].params for flag in option.opts}
    assert {"--config", "-c"} <= options


def test_the_examples_use_options_that_exist():
    for name, command in ALL.items():
        known = {flag for option in command.params for flag in (*option.opts, *option.secondary_opts)}
        for line in (command.epilog or "").splitlines():
            called = re.search(rf"workers {name}(?P<rest>[^|&]*)", line)
            used = re.findall(r"(?<!\S)--[a-z-]+", called["rest"]) if called else []
            assert set(used) <= known, line


@pytest.mark.parametrize(
    "arguments", [["--help"], ["trigger", "--help"], ["combined", "--help"], ["--version"]]
)
def test_asking_for_help_loads_no_event_loop_no_engine_and_no_rich(arguments):
    code = (
        "import sys\n"
        "from netscript_workers.cli import run\n"
        f"status = run({arguments!r})\n"
        "slow = {'asyncio', 'uvloop', 'sqlite3', 'rich', 'pydantic_settings', 'netscript_workers.wiring',\n"
        "        'netscript_workers.client', 'netscript_workers.config.settings'} & set(sys.modules)\n"
        "slow |= {name for name in sys.modules if name.startswith('netscript_workers.engines')}\n"
        "sys.exit(str(slow) if slow else status)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=False
    )
    assert done.returncode == 0, done.stderr


def test_help_is_under_headings_in_plain_text(capsys):
    assert run(["--help"]) == 0
    text = capsys.readouterr().out
    headings = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert headings == [
        "Options:",
        "Running the daemon:",
        "Working with a queue:",
        "Developing:",
        "Checking and measuring:",
    ]
    assert "\x1b" not in text


def test_the_version_is_shown_by_both_spellings(capsys):
    for flag in ("-V", "--version"):
        assert run([flag]) == 0
        assert re.match(r"workers \d+\.\d+\.\d+ \(Python 3\.", capsys.readouterr().out)


@pytest.mark.parametrize(
    "arguments",
    [["no-such-command"], ["trigger"], ["executions", "--limit", "0"], ["executions", "--status", "odd"]],
)
def test_wrong_usage_ends_with_2_and_is_told_on_stderr(arguments, capsys):
    assert run(arguments) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert "Usage: workers" in told.err
