"""The policy as a table: what is granted, what the host can do, what is decided."""

import socket

import pytest

from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.sandbox import landlock, namespaces
from netscript_workers.sandbox.gaps import gaps_in
from netscript_workers.sandbox.grants import Grants, resolve
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.hosts import parse
from netscript_workers.sandbox.numbers import MACHINES
from netscript_workers.sandbox.policy import Needs, plan
from netscript_workers.sandbox.seccomp import Calls, compiled

FULL = Host(kernel="6.18", machine="x86_64", landlock=7, is_root=False, rooms_missing="", filter_missing="")
BARE = Host(kernel="6.18", machine="x86_64", landlock=7, is_root=False, rooms_missing="no", filter_missing="")
OLD = Host(kernel="5.15", machine="x86_64", landlock=1, is_root=False, rooms_missing="no", filter_missing="")
NO_LANDLOCK = Host(
    kernel="5.10", machine="aarch64", landlock=0, is_root=False, rooms_missing="", filter_missing=""
)
MAC = Host(kernel="", machine="", landlock=0, is_root=False, rooms_missing="macOS", filter_missing="macOS")
ROOT = Host(kernel="6.18", machine="x86_64", landlock=7, is_root=True, rooms_missing="", filter_missing="")
HOSTS = Grants(net=(parse("example.com:443"),))
PROGRAMS = Grants(run=("/usr/bin/git",))
ALL = Grants(net=True, read=True, write=True, run=True)


@pytest.mark.parametrize(
    ("host", "grants", "limits", "missing"),
    [
        (FULL, Grants(), Limits(), []),
        (FULL, HOSTS, Limits(), []),
        (FULL, PROGRAMS, Limits(processes=4), []),
        (BARE, Grants(), Limits(), []),
        (BARE, HOSTS, Limits(), ["net"]),
        (BARE, PROGRAMS, Limits(), []),
        (BARE, Grants(), Limits(processes=4), ["limits.processes"]),
        (OLD, Grants(), Limits(), ["read and write", "other processes"]),
        (OLD, ALL, Limits(), ["other processes"]),
        (NO_LANDLOCK, Grants(), Limits(), []),
        (NO_LANDLOCK, PROGRAMS, Limits(), ["run"]),
        (ROOT, Grants(), Limits(processes=4), ["limits.processes"]),
        (MAC, Grants(), Limits(), ["permissions"]),
        (FULL, Grants(problems=("run: there is no program 'x' here",)), Limits(), ["run"]),
    ],
)
def test_what_cannot_be_enforced_is_found(host, grants, limits, missing):
    assert [gap.permission for gap in gaps_in(grants, limits, host)] == missing


def test_a_grant_over_a_hidden_file_needs_a_view():
    needs = Needs(hidden=("/srv/queue.sqlite3",))
    grants = Grants(read=("/srv",))
    assert plan(grants, Limits(), needs, FULL).gaps == ()
    assert [gap.permission for gap in plan(grants, Limits(), needs, BARE).gaps] == ["read"]
    assert plan(Grants(read=("/opt",)), Limits(), needs, BARE).gaps == ()


def test_without_a_filter_there_are_no_rules():
    assert plan(Grants(), Limits(), Needs(), MAC).rules is None


@pytest.mark.parametrize(("grants", "parted"), [(Grants(), True), (HOSTS, True), (ALL, False)])
def test_the_network_is_parted_unless_all_of_it_is_granted(grants, parted):
    rules = plan(grants, Limits(), Needs(), FULL).rules
    assert bool(rules.rooms & namespaces.NEW_NETWORK) is parted


def test_what_is_only_readable_is_never_writable():
    rules = plan(Grants(read=("/srv/in",), write=("/srv/out",)), Limits(), Needs(), FULL).rules
    rights = dict(rules.files)
    writing = landlock.write_rights(7)
    assert rights[b"/srv/in"] & writing == 0
    assert rights[b"/srv/out"] & writing == writing
    assert [bind.path for bind in rules.view.binds if bind.writable] == [b"/srv/out"]


def test_a_list_of_programs_lets_those_be_executed_and_the_runtime():
    rules = plan(PROGRAMS, Limits(), Needs(executable=("/usr/bin/python3",)), FULL).rules
    executable = {path for path, rights in rules.files if rights & landlock.EXECUTE}
    assert {b"/usr/bin/git", b"/usr/bin/python3"} <= executable
    assert not {path for path in executable if path.endswith((b"/bin", b"/usr", b"/lib"))}
    assert b"/usr" not in {bind.path for bind in rules.view.binds}


def test_parents_are_shown_before_what_is_in_them():
    rules = plan(Grants(read=("/a",), write=("/a/b/c",)), Limits(), Needs(), FULL).rules
    paths = [bind.path for bind in rules.view.binds]
    assert paths.index(b"/a") < paths.index(b"/a/b/c")


@pytest.mark.parametrize(
    ("grants", "has"),
    [
        (Grants(), False),
        (Grants(read=("/srv",)), False),
        (Grants(write=("/out",)), True),
        (Grants(net=True), True),
        (ALL, True),
        (Grants(read=True, write=("/out",)), False),
        (Grants(read=True, net=True), False),
        (Grants(read=("/run",), write=("/out",)), False),
        (Grants(read=("/run",), net=True), False),
        (Grants(read=("/out/in", "/etc/passwd"), write=("/out",)), True),
    ],
)
def test_local_sockets_are_closed_where_one_of_others_could_be_seen(grants, has):
    filters = [
        compiled(
            Calls(
                families=families, may_exec=bool(grants.run), raw=grants.net is True, metadata=grants is ALL
            ),
            MACHINES["x86_64"],
        )
        for families in _families(grants)
    ]
    assert plan(grants, Limits(), Needs(), FULL).rules.filter == filters[has]


def _families(grants):
    others = (socket.AF_INET, socket.AF_INET6, socket.AF_NETLINK) if grants.net is True else ()
    return others, (socket.AF_UNIX, *others)


def test_a_grant_that_earlier_runs_could_have_led_elsewhere_is_refused(tmp_path):
    for name in ("work/in", "elsewhere"):
        (tmp_path / name).mkdir(parents=True)
    permissions = Permissions(read=("./work/in", "./elsewhere"), write=("./work",))
    assert resolve(permissions, str(tmp_path), "/usr/bin").problems == ()
    (tmp_path / "work" / "in").rmdir()
    (tmp_path / "work" / "in").symlink_to("/")
    (problem,) = resolve(permissions, str(tmp_path), "/usr/bin").problems
    assert problem.startswith(f"read: {tmp_path}/work/in leads out of {tmp_path}/work")
    (tmp_path / "way").symlink_to("work")
    (problem,) = resolve(Permissions(write=("./work", "./way/in/etc")), str(tmp_path), "/usr/bin").problems
    assert problem.startswith("write: ")


def test_the_own_tmp_gives_way_to_a_granted_one():
    assert plan(Grants(), Limits(), Needs(), FULL).rules.view.own_tmp > 0
    assert plan(Grants(write=("/tmp",)), Limits(), Needs(), FULL).rules.view.own_tmp == 0
