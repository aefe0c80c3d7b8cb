"""The watcher of an observed run notes what a program and its children do, for root and for an ordinary user."""

import os
import sys
from pathlib import Path

import pytest

from netscript_workers.sandbox import enter, proposal
from netscript_workers.sandbox.guesses import names_in
from netscript_workers.sandbox.numbers import MACHINES, this_machine
from netscript_workers.sandbox.observed import Did, Observed, read_back
from netscript_workers.sandbox.observing import watching_filter
from netscript_workers.sandbox.policy import Needs
from netscript_workers.sandbox.rules import Rules
from support import ground
from support.confined import NOBODY

SCRIPT = """
import os, socket, subprocess
fd = os.open("in", os.O_RDONLY | os.O_DIRECTORY)
os.close(os.open("deep/../a.txt", os.O_RDONLY, dir_fd=fd))
os.stat("in/looked-at.txt")
os.mkdir("made"); open("made/inside", "w").close()
os.rename("old", "new")
try: open("in/absent")
except OSError: pass
try: socket.create_connection(("127.0.0.1", 9), timeout=5)
except OSError: pass
with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sender:
    try: sender.sendto(b"x", ("::1", 9))
    except OSError: pass
subprocess.run(["/bin/sh", "-c", "read -r _ < in/by-child.txt"], check=True)
"""


def watched(folder: Path, user: int, argv: tuple[str, ...]) -> int:
    """Run a program as a keeper would, watched, as `user`; returns its exit status."""
    pid = os.fork()
    if pid == 0:
        try:
            os.setsid()
            os.chdir(folder)
            if user:
                os.setgroups([])
                os.setresgid(user, user, user)
                os.setresuid(user, user, user)
            rules = Rules(
                record=os.fsencode(folder / "notes"),
                filter=watching_filter(this_machine()),
                has_program=True,
                argv=tuple(os.fsencode(word) for word in argv),
                env={b"PATH": b"/usr/bin:/bin"},
            )
            enter.confine(rules)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.skipif(sys.platform != "linux", reason="programs are watched by Linux only")
@pytest.mark.parametrize("user", [os.geteuid(), NOBODY], ids=["this user", "ordinary user"])
def test_what_a_program_and_its_children_do_is_noted(user):
    if user != os.geteuid() and os.geteuid() != 0:
        pytest.skip("only root can become another user")
    with ground.laid_out(user) as place:
        folder = Path(place.work)
        (folder / "in" / "deep").mkdir(parents=True)
        for name in ("in/a.txt", "in/looked-at.txt", "in/by-child.txt", "old"):
            (folder / name).write_text("text\n")
        for each in (folder, *folder.rglob("*")):
            os.chown(each, user, user)
        assert watched(folder, user, (ground.needs_system_python(), "-I", "-S", "-c", SCRIPT)) == 0
        found = {(each.did, each.what.replace(str(folder), "W")) for each in read_back(folder / "notes")}
    noted = {pair for pair in found if pair[1].startswith(("W", "127.", "[")) or pair[0] is Did.RUN}
    assert noted == {
        (Did.LIST, "W/in"),
        (Did.READ, "W/in/a.txt"),
        (Did.LOOK, "W/in/looked-at.txt"),
        (Did.MAKE, "W"),
        (Did.NET, "127.0.0.1:9"),
        (Did.NET, "[::1]:9"),
        (Did.RUN, "/bin/sh"),
        (Did.READ, "W/in/by-child.txt"),
    }


@pytest.mark.parametrize("machine", MACHINES.values(), ids=MACHINES)
def test_the_filter_is_one_that_the_kernel_takes_on_every_known_machine(machine):
    assert 0 < len(watching_filter(machine)) <= 4096 * 8


def proposed(*observed, **fields):
    notes = tuple(Observed(did, what) for did, what in observed)
    return proposal.propose(proposal.Watched(observed=notes, cwd="/srv/shop", needs=Needs(), **fields))


@pytest.mark.parametrize(
    ("observed", "permissions"),
    [
        ([(Did.READ, "/srv/shop/a")], {"read": ("./a",)}),
        ([(Did.READ, "/srv/other/a")], {"read": ("/srv/other/a",)}),
        (
            [(Did.READ, f"/srv/other/{n}") for n in range(3)],
            {"read": tuple(f"/srv/other/{n}" for n in range(3))},
        ),
        ([(Did.READ, f"/srv/other/{n}") for n in range(4)], {"read": ("/srv/other",)}),
        ([(Did.READ, f"/srv/{n}") for n in range(5)], {"read": tuple(f"/srv/{n}" for n in range(5))}),
        ([(Did.READ, f"/srv/shop/{n}") for n in range(5)], {"read": tuple(f"./{n}" for n in range(5))}),
        ([(Did.LIST, "/srv/other"), (Did.READ, "/srv/other/a")], {"read": ("/srv/other",)}),
        ([(Did.MAKE, "/srv/out"), (Did.READ, "/srv/out/a")], {"write": ("/srv/out",)}),
        ([(Did.MAKE, "/tmp"), (Did.READ, "/proc/self/maps"), (Did.WRITE, "/dev/null")], {}),
        ([(Did.MAKE, "/srv/shop/__pycache__"), (Did.READ, "/usr/lib/x.so")], {}),
        ([(Did.NET, "192.0.2.1:80")], {"net": True}),
    ],
)
def test_what_was_noted_becomes_permissions(observed, permissions):
    made = proposed(*observed).permissions
    granted = {key: getattr(made, key) for key in ("net", "read", "write", "env", "run")}
    assert {key: value for key, value in granted.items() if value} == permissions


def test_hosts_are_those_of_the_proxy_when_nothing_went_past_it():
    made = proposed((Did.NET, "127.0.0.1:4000"), hosts=("api.example.com:443",), proxy="127.0.0.1:4000")
    assert made.permissions.net == ("api.example.com:443",)
    assert made.notes == ()


def test_names_are_found_as_whole_words_in_text_and_in_utf_16(tmp_path):
    program = tmp_path / "program"
    program.write_bytes(b"$API_TOKEN MY_HOME_1 \x00" + "WIDE_NAME\0".encode("utf-16-le"))
    names = ("API_TOKEN", "HOME", "MY_HOME", "WIDE_NAME", "MY")
    assert names_in(program, names) == ("API_TOKEN", "WIDE_NAME")
    assert names_in(tmp_path / "absent", names) == ()
