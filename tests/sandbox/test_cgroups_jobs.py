"""Jobs, and an ordinary user, in control groups; and what is said where there is none to be had."""

import json
import os
import signal
import sys
from pathlib import Path

import msgspec
import pytest

from contracts.runners import Seen, execution
from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Limits, Source, Target
from netscript_workers.runners.fleet import build_runners
from netscript_workers.runners.granted import GrantedJobs
from netscript_workers.sandbox import cgroups, checks
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from netscript_workers.sandbox.leaf import Leaves
from support import groups
from support.confined import NOBODY, Order, run_as

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
HANDLERS = Path(__file__).parent.parent / "runners" / "confined_handlers.py"
MIB = 1 << 20
FAR = 1 << 50


async def outcome_of(found, name, payload, **fields):
    target = Target(
        id=name,
        concept=Concept.JOB,
        source=Source.DIRECTORY,
        file=str(HANDLERS),
        path=str(HANDLERS),
        **fields,
    )
    refs = [HandlerRef(name, str(HANDLERS), name)]
    environ = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)}
    runner = build_runners(
        modes={target.mode},
        handlers=refs,
        root=str(HANDLERS.parent),
        sandbox=KernelSandbox(Strictness.REQUIRE, leaves=Leaves(found)),
        granted=[GrantedJobs(ids=frozenset({name}), handlers=refs, environment=environ)],
    )[target.mode]
    await runner.start()
    try:
        return await runner.run(execution(name, payload), target, FAR, Seen())
    finally:
        await runner.stop(5_000)


@pytest.mark.slow
@pytest.mark.parametrize("permissions", [None, Permissions(run=True)])
async def test_a_job_is_held_to_its_limits_by_a_group_of_its_own(permissions):
    limits = Limits(memory=200 * MIB, processes=10)
    with groups.delegated() as group, groups.settled(group) as found:
        killed = await outcome_of(
            found, "fills", {"bytes": 300 * MIB}, limits=limits, permissions=permissions
        )
        assert (killed.kind, killed.exit_code) == (Kind.CRASHED, -signal.SIGKILL), killed.error
        assert killed.error == "killed by limits.memory = 200M, which holds for the run as a whole"
        fits = await outcome_of(found, "fills", {"bytes": 100 * MIB}, limits=limits, permissions=permissions)
        assert json.loads(fits.result or b"0") == 100 * MIB, fits.error
        held = await outcome_of(found, "forks", {"count": 50}, limits=limits, permissions=permissions)
        assert held.kind is Kind.FAILED
        assert held.error.startswith("held by limits.processes = 10")
        assert groups.runs_in(group) == []


@pytest.mark.slow
@pytest.mark.parametrize("permissions", [None, Permissions(run=True, read=True)])
def test_an_ordinary_user_to_whom_a_group_was_delegated_has_the_same(permissions):
    command = 'sed -n s/^0:://p /proc/self/cgroup; exec python3 -S -c "x = bytearray(80 << 20)"'
    order = Order(
        argv=("/bin/sh", "-c", command), cwd="/", permissions=permissions, limits=Limits(memory=40 * MIB)
    )
    with groups.delegated() as group, groups.settled(group) as found:
        assert found.settled, found.missing
        for user in (os.getuid(), NOBODY):  # root first, who can import what is imported late
            groups.give(group, user)
            (run,) = run_as(user, [order])
            assert (run.status, run.not_enforced) == (-signal.SIGKILL, ()), run
            assert f"/{group.name}/run-" in run.out
            assert run.reached == "killed by limits.memory = 40M, which holds for the run as a whole"
            assert groups.runs_in(group) == []


def test_an_ordinary_user_settles_in_what_was_delegated_to_him():
    cgroups.look()  # this interpreter may be out of that user's reach: what is imported late is here now
    with groups.delegated(NOBODY) as group:
        reading, writing = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                groups.put(group)
                os.setresgid(NOBODY, NOBODY, NOBODY)
                os.setresuid(NOBODY, NOBODY, NOBODY)
                os.write(writing, msgspec.json.encode(cgroups.settle()))
            except BaseException as error:  # the parent fails the test with it
                os.write(writing, repr(error).encode())
            finally:
                os._exit(0)
        os.waitpid(pid, 0)
        os.close(writing)
        with os.fdopen(reading, "rb") as answer:
            said = answer.read()
        assert said.startswith(b"{"), said
        found = msgspec.json.decode(said, type=cgroups.Groups)
        assert found.settled, found.missing
        assert found.root == str(group)


def test_what_was_delegated_to_another_user_is_left_alone():
    with groups.delegated(NOBODY) as group, groups.settled(group) as found:
        assert "was delegated to another user" in found.missing
        assert groups.place_of() == group


def test_what_a_group_keeps_is_no_longer_missing_and_the_doctor_says_so():
    with groups.delegated() as group, groups.settled(group):
        host = checks.probed()
        assert checks.missing(None, Limits(processes=3), host) == ()
        told = {each.name: each.found for each in checks.abilities(host)}
        assert told["control groups"] == f"memory, pids, in {group}"
        assert told["limits.memory"] == told["limits.processes"]
        assert told["limits.memory"] == "for the run as a whole, by a control group of its own"


V2 = "30 25 0:26 / {mount} rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate"


@pytest.mark.parametrize(
    ("own", "mounts", "files", "missing", "cure"),
    [
        ("4:memory:/", "", {}, "no cgroup v2 is mounted", "unified_cgroup_hierarchy"),
        ("0::/", "", {}, "no cgroup v2 is mounted", "unified_cgroup_hierarchy"),
        ("4:memory:/\n0::/", V2, {"cgroup.controllers": "hugetlb"}, "belong to cgroup v1 here", "unified"),
        ("0::/a", V2, {"a/cgroup.controllers": "cpu"}, "which nobody handed down", "Delegate"),
        (
            "0::/a/workers-daemon",
            V2,
            {"a/cgroup.controllers": "memory", "a/cgroup.subtree_control": ""},
            "which nobody handed down",
            "Delegate",
        ),
        (
            "0::/a",
            V2,
            {"a/cgroup.controllers": "memory pids"},
            "cgroup.procs is not writable",
            "workers systemd",
        ),
        (
            "0::/b.service",
            V2,
            {
                "b.service/cgroup.controllers": "memory pids",
                "b.service/cgroup.procs": "",
                "b.service/cgroup.subtree_control": "",
            },
            "is systemd's own, and was not delegated",
            "Delegate=yes",
        ),
        (
            "0::/c",
            V2,
            {
                "c/cgroup.controllers": "memory pids",
                "c/cgroup.procs": "1\n",
                "c/cgroup.subtree_control": "",
                "c/cgroup.events": "",
            },
            "holds other processes too (process 1)",
            "Delegate=yes",
        ),
    ],
    ids=[
        "v1 alone",
        "not mounted",
        "all in v1",
        "none",
        "none for its own",
        "another's",
        "systemd's",
        "shared",
    ],
)
def test_why_there_is_no_group_is_said_with_how_to_get_one(tmp_path, own, mounts, files, missing, cure):
    mount, proc = tmp_path / "a mount", tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text(own + "\n")
    (proc / "self/mountinfo").write_text(mounts.format(mount=str(mount).replace(" ", "\\040")) + "\n")
    for name, text in files.items():
        (mount / name).parent.mkdir(parents=True, exist_ok=True)
        (mount / name).write_text(text)
    found = cgroups.look(proc)
    assert missing in found.missing
    assert cure in found.cure
    assert not found.settled


def test_a_group_that_could_be_had_is_found_without_a_change(tmp_path):
    mount, proc = tmp_path / "mount", tmp_path / "proc"
    (proc / "self").mkdir(parents=True)
    (proc / "self/cgroup").write_text("0::/a\n")
    (proc / "self/mountinfo").write_text(V2.format(mount=mount) + "\n")
    (mount / "a").mkdir(parents=True)
    for name, text in {
        "controllers": "cpu memory",
        "procs": str(os.getpid()),
        "subtree_control": "",
        "events": "",
    }.items():
        (mount / "a" / f"cgroup.{name}").write_text(text)
    before = sorted(mount.rglob("*"))
    found = cgroups.look(proc)
    assert (found.root, found.mount, found.controllers) == (str(mount / "a"), str(mount), ("memory",))
    assert not found.settled
    assert sorted(mount.rglob("*")) == before
