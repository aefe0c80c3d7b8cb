"""What is granted works, for every way of holding a run; what is denied is said; how a run ends is how it ends."""

import os
import sys
from pathlib import Path

import pytest

from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from support import ground
from support.confined import NOBODY, Order, run_as

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can show both root's runs and an ordinary user's"
    ),
]
WAYS = [(0, False), (0, True), (NOBODY, False), (NOBODY, True)]
NAMES = [
    "root in rooms",
    "root under landlock alone",
    "ordinary user in rooms",
    "ordinary user under landlock alone",
]
ways = pytest.mark.parametrize(("user", "without_rooms"), WAYS, ids=NAMES)

ALLOWED = {
    "read what is granted": ("print(open(AT['readable']).read())", {}),
    "list what is granted": ("print(os.listdir(AT['granted']))", {}),
    "write what is granted": ("open(AT['out'] + '/new', 'w').write('x'); os.unlink(AT['out'] + '/new')", {}),
    "make and move below what is granted": (
        "os.mkdir(AT['out'] + '/a'); os.rename(AT['out'] + '/a', AT['out'] + '/b'); os.rmdir(AT['out'] + '/b')",
        {},
    ),
    "read its own directory": ("print(len(open(AT['out'] + '/../work/attacks.py').read()))", {}),
    "keep temporary files": (
        "import tempfile; f = tempfile.NamedTemporaryFile(); f.write(b'x'); f.close()",
        {},
    ),
    "start threads": ("import threading; t = threading.Thread(target=print); t.start(); t.join()", {}),
    "fork": ("p = os.fork()\nif p == 0: os._exit(0)\nassert os.waitpid(p, 0)[1] == 0", {}),
    "fork a pool": (
        "import multiprocessing as m\nwith m.get_context('fork').Pool(2) as p: print(p.map(abs, [-1, -2]))",
        {},
    ),
    "run an event loop": ("import asyncio; asyncio.run(asyncio.sleep(0))", {}),
    "load the standard library": ("import ssl, sqlite3, json, zoneinfo, decimal, ctypes", {}),
    "know the time zone": ("import zoneinfo; print(zoneinfo.ZoneInfo('Europe/Berlin'))", {}),
    "know users": ("import pwd; print(pwd.getpwuid(os.getuid()))", {}),
    "see itself": ("print(open('/proc/self/status').read()[:20], os.listdir('/proc/self/fd'))", {}),
    "use devices": ("open('/dev/null', 'w').write('x'); open('/dev/urandom', 'rb').read(4)", {}),
    "run programs": ("import subprocess; subprocess.run(['/bin/ls', '/usr'], check=True)", {"run": True}),
    "run listed programs": (
        "import subprocess; subprocess.run(['/bin/true'], check=True)",
        {"run": ("true",)},
    ),
    "reach the network": (
        "import socket; socket.create_connection(('127.0.0.1', AT['tcp'])).close()",
        {"net": True},
    ),
    "read everything": ("print(open(AT['secret']).read())", {"read": True}),
    "write everything": ("open(AT['beside'] + '/new', 'w').close()", {"write": True}),
    "talk over a local socket": (
        "from socket import *; a, b = (socket(AF_UNIX) for _ in '12'); n = AT['out'] + '/x'; a.bind(n)\na.listen(); b.connect(n)",
        {"read": False},
    ),
    "limit itself": (
        "import resource as r; r.setrlimit(r.RLIMIT_CORE, (0, 0)); os.nice(1); os.sched_setaffinity(0, os.sched_getaffinity(0))",
        {},
    ),
    "see granted variables": ("assert os.environ['GRANTED'] == '1'", {"env": ("GRANTED",)}),
}

# Semaphores are files of the whole machine, unless there is a view with a /dev/shm of its own; and so are local sockets.
SHARED = {"fork a pool", "talk over a local socket"}


@ways
def test_what_is_granted_works(user, without_rooms):
    with ground.laid_out(user) as place:
        prelude = f"import os, sys; AT = {place.at!r}\n"
        orders = [
            Order(
                argv=(ground.needs_system_python(), "-I", "-c", prelude + code),
                cwd=place.work,
                entry=place.script,
                env={"PARENT_X": "1", "GRANTED": "1"},
                permissions=Permissions(**{"read": (place.granted,), "write": (place.out,), **extra}),
                without_rooms=without_rooms,
            )
            for name, (code, extra) in ALLOWED.items()
            if not (without_rooms and name in SHARED)
        ]
        runs = run_as(user, orders)
    names = [name for name in ALLOWED if not (without_rooms and name in SHARED)]
    failed = {name: run for name, run in zip(names, runs, strict=True) if run.status != 0}
    assert failed == {}


SHELL = {
    "read outside": (': < "$SECRET"', {}),
    "write outside": (': > "$BESIDE/new"', {}),
    "open a connection": ("exec 3<>/dev/tcp/127.0.0.1/$TCP", {}),
    "start a program": ("/bin/true", {}),
    "start a program by exec": ("exec /bin/true", {}),
    "start one that is not listed": ("/bin/ls", {"run": ("true",)}),
    "signal the victim": ("kill -0 $VICTIM", {"run": True}),
}


@ways
@pytest.mark.parametrize("confined", [False, True])
def test_a_shell_is_held_like_any_other_program(user, without_rooms, confined):
    with ground.laid_out(user) as place:
        env = {"SECRET": place.at["secret"], "BESIDE": place.at["beside"], "TCP": str(place.at["tcp"])}
        orders = [
            Order(
                argv=("/bin/bash", "--norc", "-c", code),
                cwd=place.work,
                env={**env, "VICTIM": str(place.at["victim"])},
                permissions=Permissions(**{"read": (place.granted,), **extra}) if confined else None,
                without_rooms=without_rooms,
            )
            for code, extra in SHELL.values()
        ]
        runs = run_as(user, orders)
    succeeded = [name for name, run in zip(SHELL, runs, strict=True) if run.status == 0]
    assert succeeded == ([] if confined else list(SHELL))


def test_an_executable_is_held_like_any_other_program():
    with ground.laid_out(0) as place:
        loose = Order(argv=("/bin/cat", place.at["secret"]), cwd=place.work)
        held = Order(argv=("/bin/cat", place.at["secret"]), cwd=place.work, permissions=Permissions())
        granted = Order(
            argv=("/bin/cat", place.at["readable"]),
            cwd=place.work,
            permissions=Permissions(read=(place.granted,)),
        )
        runs = run_as(0, [loose, held, granted])
    assert [run.status for run in runs] == [0, 1, 0]
    assert place.at["secret"] in (runs[1].denied or "")


@ways
def test_a_run_ends_as_its_program_did(user, without_rooms):
    codes = ["exit 0", "exit 3", "kill -TERM $$", "kill -KILL $$", "kill -SEGV $$"]
    orders = [
        Order(
            argv=("/bin/bash", "-c", code),
            cwd="/",
            permissions=Permissions(run=True),
            without_rooms=without_rooms,
        )
        for code in codes
    ]
    assert [run.status for run in run_as(user, orders)] == [0, 3, -15, -9, -11]


@ways
def test_what_a_run_leaves_behind_ends_with_it(user, without_rooms):
    code = "(setsid sleep 3600 >/dev/null 2>&1 &) ; echo done"
    order = Order(
        argv=("/bin/bash", "-c", code),
        cwd="/",
        permissions=Permissions(run=True),
        without_rooms=without_rooms,
    )
    assert run_as(user, [order])[0].out == "done\n"


@ways
def test_the_environment_holds_what_is_granted_and_nothing_else(user, without_rooms):
    order = Order(
        argv=("/usr/bin/env",),
        cwd="/",
        env={"OWN": "1", "PARENT_SECRET": "2", "PARENT_GRANTED": "3", "LD_PRELOAD": ""},
        permissions=Permissions(env=("PARENT_GRANTED",)),
        without_rooms=without_rooms,
    )
    names = {line.split("=")[0] for line in run_as(user, [order])[0].out.splitlines()}
    assert names == {"PATH", "OWN", "PARENT_GRANTED", "LD_PRELOAD", "TMPDIR"}


@ways
def test_no_descriptor_is_inherited(user, without_rooms):
    code = "import os; print(sorted(int(n) for n in os.listdir('/proc/self/fd')))"
    order = Order(
        argv=(ground.needs_system_python(), "-I", "-c", code),
        cwd="/",
        permissions=Permissions(),
        without_rooms=without_rooms,
    )
    assert run_as(user, [order])[0].out == "[0, 1, 2, 3]\n"  # the fourth is the listing's own


@ways
def test_input_cannot_be_put_into_a_terminal(user, without_rooms):
    code = "import fcntl, sys\ntry: fcntl.ioctl(0, 0x5412, b'x')\nexcept OSError as e: print(e.errno)"
    orders = [
        Order(
            argv=(ground.needs_system_python(), "-I", "-c", code),
            cwd="/",
            permissions=permissions,
            without_rooms=without_rooms,
        )
        for permissions in (None, Permissions(net=True, read=True, write=True, run=True))
    ]
    assert [run.out for run in run_as(user, orders)] == ["25\n", "1\n"]  # no terminal, then: not permitted


def test_a_setuid_program_gives_nothing():
    with ground.laid_out(NOBODY) as place:
        path = place.root / "work" / "id"
        path.write_bytes(Path("/usr/bin/id").read_bytes())
        os.chown(path, 0, 0)
        path.chmod(0o4755)
        orders = [
            Order(
                argv=("/bin/bash", "-c", f"{path} -u"),
                cwd=place.work,
                entry=place.script,
                permissions=each,
                without_rooms=way,
            )
            for each, way in ((None, False), (Permissions(run=True), False), (Permissions(run=True), True))
        ]
        runs = run_as(NOBODY, orders)
    assert [run.out for run in runs] == ["0\n", f"{NOBODY}\n", f"{NOBODY}\n"]


@ways
def test_limits_bind(user, without_rooms):
    python = ground.needs_system_python()
    cases = [
        ("bytearray(512 << 20)", Limits(memory=128 << 20)),
        ("while True: pass", Limits(cpu_seconds=1)),
        ("fs = [open('/dev/null') for _ in range(64)]", Limits(open_files=32)),
    ]
    orders = [
        Order(
            argv=(python, "-I", "-c", code),
            cwd="/",
            permissions=each,
            limits=limits,
            without_rooms=without_rooms,
        )
        for code, limits in cases
        for each in (Permissions(), None)
    ]
    assert [run.status for run in run_as(user, orders)] == [1, 1, -9, -9, 1, 1]


def test_processes_are_counted_for_a_run_alone():
    order = Order(
        argv=("/bin/bash", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 5 & done; kill $(jobs -p); exit 0"),
        cwd="/",
        permissions=Permissions(run=True),
        limits=Limits(processes=4),
    )
    assert "Resource temporarily unavailable" in run_as(NOBODY, [order])[0].err


def test_nothing_but_the_processes_of_the_run_is_counted():
    three = "sleep 9 & sleep 9 & sleep 9 & echo three; sleep 9 & echo four"
    argv, limits = ("/bin/sh", "-c", three), Limits(processes=4)
    order = Order(argv=argv, cwd="/", permissions=Permissions(run=True), limits=limits)
    for run in run_as(NOBODY, [order, order]):
        assert run.out == "three\n"
        assert "fork" in run.err
