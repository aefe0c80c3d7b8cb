"""Importing the package does nothing but import, and loads no more than it needs."""

import importlib.util
import json

import pytest

from support.fresh import PACKAGE, answer_of, modules

HEAVY = ("pydantic_settings", "typer", "rich", "uvloop", "asyncpg", "redis", "netscript_workers.client")
ENGINES = "netscript_workers.engines."
CHILD = "netscript_workers.runners.child"

# Imports every module, one after another, and after each looks at what an import must leave alone. A read of
# the environment counts when the line that reads belongs to the package, not to a library.
PROBE = """
import collections.abc, importlib, io, os, signal, sys, threading

names, package = {names!r}, {package!r}
between = {{os.__file__, collections.abc.__file__, importlib.__file__, "<string>"}}
effects, reads = [], []

def reader():
    frame = sys._getframe(2)
    while frame and (frame.f_code.co_filename in between or frame.f_code.co_filename.startswith("<frozen")):
        frame = frame.f_back
    if frame and frame.f_code.co_filename.startswith(package):
        reads.append(f"{{frame.f_code.co_filename[len(package) + 1:]}}:{{frame.f_lineno}}")

class Watched(type(os.environ)):
    def __getitem__(self, key):
        reader()
        return super().__getitem__(key)
    def __iter__(self):
        reader()
        return super().__iter__()
    def __contains__(self, key):
        reader()
        return super().__contains__(key)

os.environ.__class__ = Watched
sys.stdout, sys.stderr = io.StringIO(), io.StringIO()

def look():
    descriptors = {{}}
    for name in os.listdir("/proc/self/fd") if os.path.isdir("/proc/self/fd") else []:
        try:
            descriptors[name] = os.readlink(f"/proc/self/fd/{{name}}")
        except OSError:
            pass
    children = []
    for task in os.listdir("/proc/self/task") if os.path.isdir("/proc/self/task") else []:
        with open(f"/proc/self/task/{{task}}/children") as lines:
            children += lines.read().split()
    return {{
        "a thread": sorted(thread.name for thread in threading.enumerate()),
        "a descriptor": sorted(descriptors.items()),
        "a child process": children,
        "a print": sys.stdout.getvalue() + sys.stderr.getvalue(),
        "a signal handler": sorted(str(s) for s in signal.valid_signals() if callable(signal.getsignal(s))),
        "the working directory": os.getcwd(),
        "the environment": sorted(dict.items(os.environ._data)),
    }}

importlib.import_module("netscript_workers")
for name in names:
    before = look()
    try:
        importlib.import_module(name)
    except BaseException as error:
        effects.append(f"{{name}}: cannot be imported: {{error!r}}")
    after = look()
    changed = [kind for kind in after if before[kind] != after[kind]]
    effects += [f"{{name}}: {{kind}}: {{before[kind]}} -> {{after[kind]}}" for kind in changed]
answer({{"effects": effects, "reads": reads}})
"""


def loaded_by(code: str) -> set[str]:
    return set(answer_of(f"{code}\nimport sys\nanswer(sorted(sys.modules))"))


def heavy_ones(loaded: set[str]) -> list[str]:
    return sorted(name for name in loaded if name in HEAVY or name.startswith(ENGINES))


def exists(module: str) -> bool:
    return importlib.util.find_spec(module) is not None


def test_importing_any_module_has_no_effect_on_the_process():
    names = modules()
    assert "netscript_workers.errors" in names
    found = answer_of(PROBE.format(names=names, package=str(PACKAGE)))
    assert found == {"effects": [], "reads": []}


@pytest.mark.parametrize(
    "line",
    [
        "import os; os.environ.get('HOME')",
        "import os; os.getenv('HOME')",
        "import os; 'HOME' in os.environ",
        "import os; dict(os.environ)",
        "from os import environ; environ['PATH']",
    ],
)
def test_the_probe_sees_a_module_that_reads_the_environment(tmp_path, line):
    (tmp_path / "greedy.py").write_text(line)
    found = answer_of(PROBE.format(names=["greedy"], package=str(tmp_path)), PYTHONPATH=str(tmp_path))
    assert set(found["reads"]) == {"greedy.py:1"}


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (
            "import threading, time; threading.Thread(target=time.sleep, args=(9,), daemon=True).start()",
            "a thread",
        ),
        ("import os; kept = os.open('/dev/null', os.O_RDONLY)", "a descriptor"),
        ("import subprocess; kept = subprocess.Popen(['sleep', '0.5'])", "a child process"),
        ("print('here I am')", "a print"),
        ("import signal; signal.signal(signal.SIGTERM, lambda *_: None)", "a signal handler"),
        ("import os; os.environ['MINE'] = '1'", "the environment"),
    ],
)
def test_the_probe_sees_a_module_that_does_something(tmp_path, line, kind):
    (tmp_path / "busy.py").write_text(line)
    found = answer_of(PROBE.format(names=["busy"], package=str(tmp_path)), PYTHONPATH=str(tmp_path))
    assert [effect for effect in found["effects"] if f"busy: {kind}" in effect], json.dumps(found)


def test_importing_the_package_loads_neither_the_client_nor_an_engine_nor_a_heavy_library():
    assert heavy_ones(loaded_by("import netscript_workers")) == []


def test_what_a_job_module_imports_is_light_too():
    names = [
        name
        for name in ("job", "JobContext", "success", "failure", "Abort")
        if answer_of(f"import netscript_workers\nanswer(hasattr(netscript_workers, {name!r}))")
    ]
    if not names:
        pytest.skip("netscript_workers exports nothing yet")
    assert heavy_ones(loaded_by(f"from netscript_workers import {', '.join(names)}")) == []


def test_every_exported_name_can_be_had():
    missing = answer_of(
        "import netscript_workers as package\n"
        "names = getattr(package, '__all__', [])\n"
        "answer([name for name in names if not hasattr(package, name) or name not in dir(package)])"
    )
    assert missing == []


def test_the_child_of_a_slot_loads_neither_the_client_nor_an_engine_nor_a_heavy_library():
    if not exists(CHILD):
        pytest.skip(f"{CHILD} is not there yet")
    loaded = loaded_by(f"import {CHILD}")
    assert heavy_ones(loaded) == []
    assert not any(name.startswith("netscript_workers.config") for name in loaded)


def test_the_check_of_a_config_loads_neither_an_engine_nor_a_server_library(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text("concurrency = 2\n")
    loaded = loaded_by(
        "import sys\n"
        f"sys.argv = ['workers', 'validate', {str(config)!r}]\n"
        "from netscript_workers.cli import main\n"
        "try:\n    status = main()\n"
        "except SystemExit as end:\n    status = end.code\n"
        "assert not status, status"
    )
    assert "pydantic" in loaded
    unwanted = {
        "asyncio",
        "uvloop",
        "asyncpg",
        "redis",
        "rich",
        "sqlite3",
        "netscript_workers.client",
    } & loaded
    rooms = ("sandbox", "worker", "runners", "scheduler", "supervisor", "processes", "telemetry")
    prefixes = (ENGINES, *(f"netscript_workers.{room}" for room in rooms))
    assert sorted(unwanted) + [name for name in loaded if name.startswith(prefixes)] == []
    commands = {name.removeprefix("netscript_workers.cli.") for name in loaded if ".cli." in name}
    assert commands == {"app", "effective", "faults", "findings", "options", "render", "validate", "verdict"}


def test_permissions_in_a_config_add_what_tries_out_this_host_and_nothing_else(tmp_path):
    config = tmp_path / "config.toml"
    task = '[[tasks]]\nid = "a"\ntype = "shell"\nentrypoint = "a.sh"\n'
    folder = tmp_path / "workers" / "tasks"
    folder.mkdir(parents=True)
    (folder / "a.sh").write_text("true\n")

    def loaded_with(more):
        config.write_text(f"{task}{more}\n")
        return loaded_by(
            "import sys\n"
            f"sys.argv = ['workers', 'validate', {str(config)!r}]\n"
            "from netscript_workers.cli import run\n"
            "assert run(sys.argv[1:]) == 0"
        )

    added = loaded_with("permissions = {}") - loaded_with("")
    assert {name.split(".")[1] for name in added if name.startswith("netscript_workers.")} <= {
        "sandbox",
        "processes",
        "domain",
    }
    assert not added & {
        "asyncio",
        "netscript_workers.sandbox.proxy",
        "netscript_workers.sandbox.kernel_sandbox",
    }


def test_the_help_of_the_command_loads_neither_asyncio_nor_an_engine():
    if not answer_of("import netscript_workers.cli as cli\nanswer(hasattr(cli, 'main'))"):
        pytest.skip("netscript_workers.cli has no main() yet")
    loaded = loaded_by(
        "import sys\n"
        "sys.argv = ['workers', '--help']\n"
        "from netscript_workers.cli import main\n"
        "try:\n    status = main()\n"
        "except SystemExit as end:\n    status = end.code\n"
        "assert not status, status"
    )
    unwanted = {
        *("asyncio", "uvloop", "asyncpg", "redis", "rich", "sqlite3", "pydantic", "secrets", "zoneinfo"),
        *("importlib.resources", "netscript_workers.config", "netscript_workers.wiring"),
    } & loaded
    assert sorted(unwanted) + [name for name in loaded if name.startswith(ENGINES)] == []
