"""The attacks by programs of other kinds: a script that is a program itself, a compiled one, and a .NET one."""

import functools
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import support.dotnet
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import TaskType
from support import attacks, debian, ground, services
from support.confined import NOBODY, Order, run_as

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(180),
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
    pytest.mark.skipif(
        os.geteuid() != 0, reason="only root can show both root's runs and an ordinary user's"
    ),
]
SUPPORT = Path(__file__).parents[1] / "support"
USERS = {"root": 0, "ordinary user": NOBODY}
WAYS = [(0, False), (0, True), (NOBODY, False), (NOBODY, True)]
NAMES = [
    "root in rooms",
    "root under landlock alone",
    "ordinary user in rooms",
    "ordinary user under landlock alone",
]
ways = pytest.mark.parametrize(("user", "without_rooms"), WAYS, ids=NAMES)
IN_C = (
    *("read", "read by ..", "read by link", "write", "write what is readable", "chmod", "truncate"),
    *("memory of another", "environment of another", "root of another", "signal", "trace"),
    *("exec", "exec of itself", "exec from memory", "new rooms"),
    *("tcp", "udp", "netlink", "local socket"),
)
IN_DOTNET = (
    *("read", "read by ..", "read by link", "write", "write what is readable", "environment of another"),
    *("exec", "tcp", "udp"),
)


def variables(place):
    at = place.at
    return {
        "SECRET": at["secret"],
        "BESIDE": at["beside"],
        "GRANTED": place.granted,
        "OUT": place.out,
        "VICTIM": str(at["victim"]),
        "TCP": str(at["tcp"]),
        "SOCKET": at["socket"],
    }


def granted(place, **more):
    return Permissions(**{"read": (place.granted,), "write": (place.out,), **more})


@functools.cache
def of_script(user, without_rooms, *, confined):
    """Run all attacks of attacks.py in a file that the kernel starts itself."""
    with ground.laid_out(user) as place:
        script = Path(place.script)
        script.write_text(f"#!{ground.needs_system_python()} -s\n" + script.read_text())
        script.chmod(0o755)
        order = Order(
            argv=(place.script, json.dumps(place.at)),
            cwd=place.work,
            entry=place.script,
            type=TaskType.EXECUTABLE,
            permissions=granted(place) if confined else None,
            without_rooms=without_rooms,
        )
        run = run_as(user, [order])[0]
    assert run.status == 0, run
    return {name for name, stopped in json.loads(run.out).items() if not stopped}


@pytest.mark.parametrize("who", USERS)
def test_a_script_that_is_a_program_succeeds_unconfined(who):
    possible = attacks.ATTACKS.keys() - (attacks.ROOT_ONLY if USERS[who] else set())
    assert possible - of_script(USERS[who], without_rooms=False, confined=False) == set()


@ways
def test_a_script_that_is_a_program_is_held_like_any_other(user, without_rooms):
    # Landlock keeps what files hold, not that they are there.
    not_hidden = {"see_outside"} if without_rooms else set()
    assert of_script(user, without_rooms, confined=True) - not_hidden == set()


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    found = shutil.which("cc") or debian.program("gcc", "gcc")
    made = tmp_path_factory.mktemp("compiled") / "attack"
    done = subprocess.run(
        [found, "-w", "-o", made, SUPPORT / "attack.c"],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    if done.returncode != 0:
        services.unavailable(f"a C program cannot be compiled here (install libc6-dev): {done.stderr[:200]}")
    return made


def succeeded(compiled, user, permissions, *, without_rooms=False):
    """Run each attack of attack.c; returns which of them got what they wanted."""
    with ground.laid_out(user) as place:
        program = shutil.copy(compiled, place.work)
        os.chmod(program, 0o755)
        orders = [
            Order(
                argv=(program, name),
                cwd=place.work,
                entry=program,
                env=variables(place),
                permissions=None if permissions is None else granted(place, **permissions),
                without_rooms=without_rooms,
            )
            for name in (*IN_C, "nothing")
        ]
        runs = run_as(user, orders)
    assert runs[-1].status == 0, runs[-1]
    return {name for name, run in zip(IN_C, runs, strict=False) if run.status == 0}


@pytest.mark.parametrize("who", USERS)
def test_a_compiled_program_succeeds_unconfined(compiled, who):
    assert succeeded(compiled, USERS[who], None) == set(IN_C)


@ways
def test_a_compiled_program_is_held_like_any_other(compiled, user, without_rooms):
    assert succeeded(compiled, user, {}, without_rooms=without_rooms) == set()


@ways
def test_a_compiled_program_gets_what_is_granted_and_no_more(compiled, user, without_rooms):
    programs = {"exec", "exec of itself", "exec from memory"}
    assert succeeded(compiled, user, {"run": True}, without_rooms=without_rooms) == programs
    network = {"tcp", "udp", "netlink"}
    assert succeeded(compiled, user, {"net": True}, without_rooms=without_rooms) - {"local socket"} == network


@pytest.fixture(scope="module")
def dotnet(tmp_path_factory):
    return support.dotnet.with_dotnet(tmp_path_factory.mktemp("dotnet"))


def with_dotnet(dotnet, names, permissions):
    host, program = dotnet
    with ground.laid_out(0) as place:
        for file in (program, program.with_suffix(".runtimeconfig.json")):
            shutil.copy(file, place.work)
        entry = f"{place.work}/{program.name}"
        orders = [
            Order(
                argv=(str(host), entry, name),
                cwd=place.work,
                entry=entry,
                env=variables(place),
                permissions=permissions and granted(place),
                type=TaskType.DOTNET,
            )
            for name in names
        ]
        return dict(zip(names, run_as(0, orders), strict=True))


@pytest.mark.services
def test_a_dotnet_program_succeeds_unconfined(dotnet):
    runs = with_dotnet(dotnet, IN_DOTNET, None)
    assert {name: run for name, run in runs.items() if run.status != 0} == {}


@pytest.mark.services
def test_a_dotnet_program_starts_confined_gets_what_is_granted_and_no_more(dotnet):
    allowed = ("nothing", "read what is granted", "write what is granted")
    runs = with_dotnet(dotnet, (*allowed, *IN_DOTNET), Permissions())
    assert {name: run for name, run in runs.items() if (run.status == 0) != (name in allowed)} == {}
    assert "run: /usr/bin/true" in (runs["exec"].denied or "")
    assert "net: AF_INET" in (runs["udp"].denied or "")
