"""One watched run proposes what a task needs: enough for a second run, and nothing that could be left out."""

import os
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import msgspec
import pytest

from contracts.runners import Seen
from netscript_workers import config, wiring
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.permissions import Permissions
from netscript_workers.errors import UnknownTargetError, UsageError
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from netscript_workers.wiring import recording
from netscript_workers.wiring.confinement import hidden_files
from support import debian, services
from support.dotnet import with_dotnet

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="programs are watched by Linux only"),
]
PROGRAMS = Path(__file__).parents[1] / "support" / "recorded"
LISTS = ("net", "read", "write", "env", "run")


class Answer(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    log_message = lambda *_: None


@pytest.fixture
def port():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    thread.join()
    server.server_close()


class Shop:
    """A project with one task."""

    def __init__(self, folder):
        self.folder = folder
        self.tasks = folder / "workers" / "tasks"
        self.tasks.mkdir(parents=True)
        (folder / "data").mkdir()
        (folder / "data" / "in.txt").write_text("something\n")
        (folder / "out").mkdir()

    def project(self, type, entry, port=0, extra="", **environ):
        text = f'[[tasks]]\nid = "does"\ntype = "{type}"\nentrypoint = "{entry}"\nargs = ["{port}"]\n'
        text += f'env = {{ TASK_PORT = "{port}" }}\n{extra}'
        (self.folder / "config.toml").write_text(text)
        given = {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(self.folder / "home"),
            "GRANTED": "1",
            "DENO_DIR": str(self.folder / "deno"),
            "NO_COLOR": "1",
            "NETSCRIPT_PYTHON_PATH": os.path.realpath(sys.executable),
            **environ,
        }
        options = config.LoadOptions(path=self.folder / "config.toml", environ=given, cwd=self.folder)
        return wiring.load_project(options)

    def script(self, name, text):
        (self.tasks / name).write_text(text)
        return name


@pytest.fixture
def shop(tmp_path):
    return Shop(tmp_path)


def with_program(shop, type, port):
    if type == "executable":
        compiler = debian.program("gcc", "gcc libc6-dev")
        entry = "does"
        subprocess.run([compiler, "-o", shop.tasks / entry, PROGRAMS / "does.c"], check=True, timeout=50)
    else:
        entry = {"python": "does.py", "shell": "does.sh", "deno": "does.ts"}[type]
        shutil.copy(PROGRAMS / entry, shop.tasks / entry)
    environ = {}
    if type == "deno":
        environ["DENO_EXECUTABLE"] = services.program("deno", "`make setup` installs it from PyPI")
    return shop.project(type, entry, port, **environ)


async def recorded(project, **options):
    return await wiring.record(project, "does", {}, Seen(), **{"verify": True, **options})


async def held_to(project, permissions):
    target = recording.with_permissions(project.targets["does"], permissions)
    sandbox = KernelSandbox(Strictness.REQUIRE, hidden_files(project.settings))
    return await recording.run_with(project, target, b"{}", Seen(), sandbox)


def without_each(permissions):
    """Every proposal that lacks one of the listed things, or one grant of all of a kind."""
    for key in LISTS:
        grant = getattr(permissions, key)
        if grant is True:
            yield key, msgspec.structs.replace(permissions, **{key: False})
        for item in grant if isinstance(grant, tuple) else ():
            rest = tuple(each for each in grant if each != item)
            yield f"{key} {item}", msgspec.structs.replace(permissions, **{key: rest or False})


@pytest.mark.services
@pytest.mark.parametrize("type", ["python", "shell", "executable", "deno"])
async def test_a_proposal_is_enough_and_nothing_in_it_can_be_left_out(shop, port, type):
    project = with_program(shop, type, port)
    found = await recorded(project)
    assert found.outcome.kind is Kind.SUCCEEDED, found.outcome.error
    assert found.verified.kind is Kind.SUCCEEDED, found.verified.error
    proxied = {"python": (f"localhost:{port}",), "deno": (f"127.0.0.1:{port}",)}
    assert found.permissions == Permissions(
        net=proxied.get(type, True),
        read=("./data/in.txt",),
        write=("./out/new.txt",) if type == "deno" else ("./out",),
        env=("GRANTED",),
        run=("true",) if type == "executable" else ("gzip",),
    ), found.notes
    enough = []
    for what, less in without_each(found.permissions):
        done = await held_to(project, less)
        if done.kind is Kind.SUCCEEDED:
            enough.append(what)
    assert enough == []


@pytest.mark.services
async def test_deno_is_asked_where_nothing_can_be_watched(shop, port, monkeypatch):
    monkeypatch.setattr("netscript_workers.sandbox.numbers.this_machine", lambda: None)
    monkeypatch.setattr("netscript_workers.sandbox.recorder.this_machine", lambda: None)
    found = await recorded(with_program(shop, "deno", port))
    assert found.permissions.run is True
    assert found.permissions.read == ("./data/in.txt",)
    assert found.verified.kind is Kind.SUCCEEDED, found.verified.error
    assert "which programs it started could not be seen" in found.notes[0]


async def test_a_deno_that_asks_nobody_is_told(shop):
    shop.script("does.ts", "")
    found = await recorded(shop.project("deno", "does.ts", DENO_EXECUTABLE="/bin/false"))
    assert found.outcome.kind is Kind.FAILED
    assert "too old to have one" in found.notes[0]


@pytest.mark.services
async def test_a_dotnet_program_is_recorded_with_the_variables_in_its_text(shop):
    host, program = with_dotnet(shop.folder)
    shutil.copy(program, shop.tasks)
    shutil.copy(program.with_suffix(".runtimeconfig.json"), shop.tasks)
    (shop.folder / "data" / "readable.txt").write_text("x")
    environ = {"PATH": f"{host.parent}:/usr/bin:/bin", "GRANTED": str(shop.folder / "data")}
    project = shop.project("dotnet", program.name, "read what is granted", **environ)
    found = await recorded(project)
    assert found.outcome.kind is Kind.SUCCEEDED, found.outcome.error
    assert found.permissions == Permissions(read=("./data/readable.txt",), env=("GRANTED",)), found
    assert found.verified.kind is Kind.SUCCEEDED, found.verified.error


async def test_a_direct_connection_is_told_because_a_list_of_hosts_could_not_be_kept(shop, port):
    found = await recorded(with_program(shop, "shell", port), verify=False)
    assert found.permissions.net is True
    assert f"127.0.0.1:{port} without the proxy" in found.notes[0]
    assert found.verified is None


async def test_many_files_in_one_directory_are_proposed_as_that_directory(shop):
    for number in range(5):
        (shop.folder / "data" / f"{number}.csv").write_text("x")
    shop.script("does.sh", 'for n in 0 1 2 3 4; do read -r _ < "data/$n.csv" || true; done\n')
    found = await recorded(shop.project("shell", "does.sh"))
    assert found.permissions == Permissions(read=("./data",))


async def test_what_children_and_their_children_do_is_seen_too(shop):
    shop.script("does.sh", "bash -c 'setsid cat data/in.txt' > /dev/null\n")
    found = await recorded(shop.project("shell", "does.sh"))
    assert found.permissions == Permissions(read=("./data/in.txt",), run=("bash", "setsid", "cat"))


async def test_temporary_files_need_no_permission(shop):
    shop.script(
        "does.sh", 'echo x > "$TMPDIR/mine-$$"; read -r _ < "$TMPDIR/mine-$$"; rm "$TMPDIR/mine-$$"\n'
    )
    found = await recorded(shop.project("shell", "does.sh"))
    assert found.permissions == Permissions(run=("rm",))
    assert found.verified.kind is Kind.SUCCEEDED


@pytest.mark.parametrize(
    "text",
    [
        "mv out/old out/renamed",
        "rm out/old",
        "ln -s old out/link",
        "mkdir -p out out/made",
        "touch out/made",
    ],
)
async def test_a_change_in_a_directory_needs_that_directory(shop, text):
    (shop.folder / "out" / "old").write_text("x")
    shop.script("does.sh", text)
    found = await recorded(shop.project("shell", "does.sh"), verify=False)
    assert found.permissions.write == ("./out",)


async def test_writing_right_in_the_working_directory_is_warned_of(shop):
    shop.script("does.sh", ": > new.txt")
    found = await recorded(shop.project("shell", "does.sh"), verify=False)
    assert found.permissions == Permissions(write=(".",))
    assert "a directory of its own" in found.notes[0]


async def test_an_existing_file_is_proposed_itself(shop):
    (shop.folder / "out" / "old").write_text("x")
    shop.script("does.sh", "echo y > out/old")
    found = await recorded(shop.project("shell", "does.sh"))
    assert found.permissions == Permissions(write=("./out/old",))
    assert found.verified.kind is Kind.SUCCEEDED


async def test_a_run_that_fails_still_proposes_and_is_not_run_again(shop):
    shop.script("does.sh", "read -r _ < data/in.txt\nexit 3\n")
    found = await recorded(shop.project("shell", "does.sh"))
    assert (found.outcome.kind, found.outcome.exit_code) == (Kind.FAILED, 3)
    assert found.permissions == Permissions(read=("./data/in.txt",))
    assert found.verified is None


async def test_a_second_run_that_does_more_than_the_first_is_found_out(shop):
    shop.script("does.sh", "set -e\nif [ -e out/once ]; then read -r _ < data/in.txt; fi\n: > out/once\n")
    found = await recorded(shop.project("shell", "does.sh"))
    assert found.outcome.kind is Kind.SUCCEEDED
    assert (found.verified.kind, found.verified.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED)


async def test_a_variable_is_a_guess_and_a_secret_is_never_one(shop):
    shop.script("does.sh", 'echo "$GRANTED" "$DATABASE_URL"\n')
    found = await recorded(shop.project("shell", "does.sh", DATABASE_URL="postgresql://u:pw@db/x"))
    assert found.guessed == found.permissions.env == ("GRANTED",)
    assert any("DATABASE_URL occurs in its text and is a secret" in note for note in found.notes)


async def test_the_queues_own_file_is_never_proposed(shop):
    (shop.folder / "workers" / "queue.sqlite3").write_text("x")
    shop.script("does.sh", "read -r _ < workers/queue.sqlite3 || true\n")
    found = await recorded(shop.project("shell", "does.sh"), verify=False)
    assert found.permissions == Permissions()
    assert any("queue's own file" in note for note in found.notes)


async def test_the_permissions_that_a_task_has_do_not_bind_the_watched_run(shop):
    shop.script("does.sh", "read -r _ < data/in.txt\n")
    found = await recorded(shop.project("shell", "does.sh", extra='permissions = "none"\n'))
    assert found.outcome.kind is Kind.SUCCEEDED
    assert found.permissions == Permissions(read=("./data/in.txt",))


async def test_a_run_is_stopped_at_its_timeout(shop):
    shop.script("does.sh", "read -r _ < data/in.txt\nsleep 600 & wait\n")
    found = await recorded(shop.project("shell", "does.sh", extra='timeout = "2s"\n'))
    assert found.outcome.kind is Kind.TIMED_OUT
    assert found.permissions.read == ("./data/in.txt",)


async def test_what_cannot_be_recorded_is_refused(shop, monkeypatch):
    shop.script("does.sh", "true\n")
    project = shop.project("shell", "does.sh")
    with pytest.raises(UnknownTargetError, match="Did you mean does"):
        await wiring.record(project, "doe", {}, Seen(), verify=False)
    monkeypatch.setattr("netscript_workers.sandbox.numbers.sys.platform", "darwin")
    with pytest.raises(UsageError, match="cannot be recorded on this system"):
        await recorded(project)
