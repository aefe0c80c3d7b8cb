"""The command line of each runtime as a table: nothing is started here."""

import re

import pytest

from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.permissions import PRESETS, Permissions
from netscript_workers.domain.target import Concept, Source, Target, TaskType
from netscript_workers.errors import DefinitionError
from netscript_workers.ports.runtime import Surroundings, TaskRun
from netscript_workers.runtimes.command import command_for
from netscript_workers.runtimes.deno import permission_flags
from netscript_workers.runtimes.plugins import Runtimes

RUNTIMES = Runtimes()


def command(
    type,
    path="/t/x",
    *,
    windows=False,
    environ=None,
    payload_file=None,
    execution=None,
    secrets=None,
    **fields,
):
    target = Target(
        **{
            "id": "x",
            "concept": Concept.TASK,
            "source": Source.CONFIG,
            "file": "config.toml",
            "path": path,
            "entrypoint": path.removeprefix("/t/"),
            "type": type,
            **fields,
        }
    )
    run = TaskRun(
        target=target,
        execution=Execution(
            **{
                "id": "e1",
                "concept": Concept.TASK,
                "target": "x",
                "topic": "default",
                "status": Status.RUNNING,
                "triggered_by": TriggeredBy.MANUAL,
                "triggered_at": 0,
                "payload": b'{"a":1}',
                "priority": 50,
                "attempt": 2,
                "max_attempts": 3,
                **(execution or {}),
            }
        ),
        surroundings=Surroundings(
            project="/p", environ=environ or {}, secrets=secrets or {}, windows=windows
        ),
        payload_file=payload_file,
    )
    return command_for(RUNTIMES.get(type), run)


@pytest.mark.parametrize(
    ("type", "fields", "expected"),
    [
        ("deno", {}, "deno run --no-prompt --allow-all /t/x a"),
        ("deno", {"permissions": Permissions()}, "deno run --no-prompt /t/x a"),
        (
            "deno",
            {"import_map_url": "map.json"},
            "deno run --no-prompt --allow-all --import-map=/p/map.json /t/x a",
        ),
        (
            "deno",
            {"import_map_url": "https://h/m"},
            "deno run --no-prompt --allow-all --import-map=https://h/m /t/x a",
        ),
        ("deno", {"environ": {"DENO_EXECUTABLE": "/d/deno"}}, "/d/deno run --no-prompt --allow-all /t/x a"),
        ("python", {}, "python3 -u /t/x a"),
        ("python", {"windows": True}, "python -u /t/x a"),
        ("python", {"environ": {"NETSCRIPT_PYTHON_PATH": "python3.12"}}, "python3.12 -u /t/x a"),
        ("python", {"metadata": {"pythonConfig": {"venvPath": "v"}}}, "/p/v/bin/python -u /t/x a"),
        ("python", {"metadata": {"python_config": {"venv_path": "/v"}}}, "/v/bin/python -u /t/x a"),
        (
            "python",
            {"metadata": {"pythonConfig": {"pythonPath": "./py", "venvPath": "v"}}},
            "/p/py -u /t/x a",
        ),
        ("shell", {}, "/bin/bash /t/x a"),
        ("shell", {"metadata": {"shellConfig": {"loginShell": True}}}, "/bin/bash -l /t/x a"),
        ("shell", {"metadata": {"shell_config": {"shell": "zsh", "login_shell": False}}}, "zsh /t/x a"),
        ("dotnet", {"path": "/t/x.cs"}, "dotnet run /t/x.cs -- a"),
        ("dotnet", {"path": "/t/x.cs", "args": ()}, "dotnet run /t/x.cs"),
        ("dotnet", {"path": "/t/x.csproj"}, "dotnet run --project /t/x.csproj -- a"),
        ("dotnet", {"path": "/t/app", "entrypoint": "app/"}, "dotnet run --project /t/app -- a"),
        ("dotnet", {"path": "/t/x.dll"}, "dotnet /t/x.dll a"),
        ("dotnet", {}, "/t/x a"),
        (
            "dotnet",
            {"path": "/t/x.dll", "metadata": {"dotnetConfig": {"runtimeArgs": ["--roll-forward", "Major"]}}},
            "dotnet --roll-forward Major /t/x.dll a",
        ),
        (
            "dotnet",
            {"metadata": {"dotnet_config": {"use_dotnet_run": True, "runtime_args": ["-c", "Release"]}}},
            "dotnet run -c Release --project /t/x -- a",
        ),
        ("powershell", {}, "pwsh -NoProfile -NonInteractive -ExecutionPolicy Bypass -File /t/x a"),
        (
            "powershell",
            {"windows": True},
            "powershell -NoProfile -NonInteractive -ExecutionPolicy Bypass -File /t/x a",
        ),
        ("cmd", {}, "cmd.exe /c /t/x a"),
        ("executable", {}, "/t/x a"),
    ],
)
def test_a_task_becomes_exactly_this_command_line(type, fields, expected):
    assert " ".join(command(TaskType(type), **{"args": ("a",), **fields}).argv) == expected


@pytest.mark.parametrize(
    ("permissions", "flags"),
    [
        (None, ["--allow-all"]),
        (PRESETS["none"], []),
        (PRESETS["minimal"], ["--allow-env"]),
        (PRESETS["network"], ["--allow-net", "--allow-env"]),
        (PRESETS["filesystem"], ["--allow-read", "--allow-write", "--allow-env"]),
        (PRESETS["read_only"], ["--allow-read", "--allow-env"]),
        (PRESETS["subprocess"], ["--allow-env", "--allow-run"]),
        (PRESETS["full"], ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run"]),
        (
            PRESETS["all_access"],
            ["--allow-net", "--allow-read", "--allow-write", "--allow-env", "--allow-run", "--allow-ffi"],
        ),
        (Permissions(net=("a.com:443", "b.com")), ["--allow-net=a.com:443,b.com"]),
        (Permissions(read=("/a b",), write=(), env=False), ["--allow-read=/a b"]),
        (Permissions(run=("git",), import_=("jsr.io",)), ["--allow-run=git", "--allow-import=jsr.io"]),
    ],
)
def test_permissions_become_exactly_these_flags_of_deno(permissions, flags):
    assert list(permission_flags(permissions)) == flags


@pytest.mark.parametrize("value", ["a,b", "a\nb", "a\r", "a\0", ""])
@pytest.mark.parametrize("name", ["net", "read", "write", "env", "run", "import_"])
def test_a_value_that_would_smuggle_in_a_second_grant_is_refused(name, value):
    with pytest.raises(DefinitionError, match=f"permissions.{name.rstrip('_')} cannot grant"):
        permission_flags(Permissions(**{name: (value,)}))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"path": "/t/x.cs", "metadata": {"dotnetConfig": {"useDotnetRun": False}}}, "is source"),
        ({"metadata": {"dotnetConfig": {"runtimeArgs": ["-x"]}}}, "program of its own"),
        (
            {"metadata": {"dotnetConfig": {"runtimeArgs": "-x"}}},
            "a list of texts at dotnetConfig.runtimeArgs",
        ),
        ({"metadata": {"dotnetConfig": {"runtimeArg": []}}}, "unknown setting dotnetConfig.runtimeArg"),
        ({"metadata": {"dotnetConfig": {"useDotnetRun": 1}}}, "true or false at dotnetConfig.useDotnetRun"),
        ({"metadata": {"dotnetConfig": "x"}}, "a table at dotnetConfig"),
        ({"metadata": {"dotnetConfig": {"useDotnetRun": True, "use_dotnet_run": True}}}, "twice"),
    ],
)
def test_settings_that_a_runtime_cannot_take_are_refused(fields, words):
    with pytest.raises(DefinitionError, match=re.escape(words)):
        command(TaskType.DOTNET, **fields)


def test_the_environment_is_the_daemons_without_secrets_then_the_tasks_then_the_runs():
    spec = command(
        TaskType.EXECUTABLE,
        environ={"PATH": "/bin", "A": "daemon", "TRACEPARENT": "daemon's", "TASK_ID": "daemon's"},
        secrets={"REDIS_URL": "redis://secret"},
        env={"A": "task", "ATTEMPT": "task's"},
        execution={"correlation_id": "c1"},
    )
    assert spec.env == {
        "PATH": "/bin",
        "A": "task",
        "TASK_ID": "x",
        "EXECUTION_ID": "e1",
        "ATTEMPT": "2",
        "TASK_PAYLOAD": '{"a":1}',
        "CORRELATION_ID": "c1",
    }
    assert (spec.cwd, spec.stdin) == ("/p", b'{"a":1}')


def test_a_task_gets_a_secret_of_the_daemon_only_by_naming_it():
    secrets = {"REDIS_URL": "redis://secret", "AMQP_URL": "amqp://secret"}
    named = command(TaskType.EXECUTABLE, secrets=secrets, permissions=Permissions(env=("REDIS_URL", "HOME")))
    assert (named.env.get("REDIS_URL"), named.env.get("AMQP_URL")) == ("redis://secret", None)
    broad = command(TaskType.EXECUTABLE, secrets=secrets, permissions=Permissions(env=True))
    assert "REDIS_URL" not in broad.env


def test_a_big_payload_is_named_by_its_file_and_the_directory_by_the_tasks_cwd():
    spec = command(TaskType.EXECUTABLE, payload_file="/tmp/p.json", cwd="sub")
    assert spec.env["TASK_PAYLOAD_FILE"] == "/tmp/p.json"
    assert "TASK_PAYLOAD" not in spec.env
    assert spec.cwd == "/p/sub"


def test_a_type_that_nobody_registered_is_refused_with_those_that_exist():
    with pytest.raises(DefinitionError, match=r"no runtime 'ruby'.*deno, python"):
        RUNTIMES.get("ruby")
