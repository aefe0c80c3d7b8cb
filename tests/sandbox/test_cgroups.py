"""Where a control group is delegated to the daemon, a run is held to its limits as a whole, and its group is gone with it."""

import os
import signal
import subprocess
import sys

import pytest

from contracts.tasks import Workbench, programs, run
from netscript_workers.domain.outcome import Cause, Kind
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.sandbox import cgroups
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness
from netscript_workers.sandbox.leaf import Leaves
from support import groups
from support.daemons import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="control groups are Linux's")
MIB = 1 << 20
CONFINED = Permissions(run=True, read=True)
# Each of two processes takes 60 MiB and holds it: neither is over a limit of 100 MiB, both together are.
TAKES_TWICE = f"""
hold='import time; x = bytearray(60 << 20); print("held", flush=True); time.sleep(60)'
"{sys.executable}" -S -c "$hold" &
"{sys.executable}" -S -c "$hold" &
wait
echo went on
"""
# Python, since a shell tries again for a quarter of a minute. The program itself counts as one.
FORKS = f"""exec "{sys.executable}" -S -c '
import os, time
for _ in range(COUNT):
    if os.fork() == 0:
        time.sleep(60)
print("{{}}")'"""


@pytest.fixture
def group():
    with groups.delegated() as made:
        yield made


@pytest.fixture
def settled(group):
    with groups.settled(group) as found:
        assert found.settled, found.missing
        yield found


@pytest.fixture
def bench(tmp_path) -> Workbench:
    return Workbench(tmp_path)


async def outcome_of(bench, found, script, *, strictness=Strictness.REQUIRE, **fields):
    sandbox = KernelSandbox(strictness, leaves=Leaves(found))
    async with programs(bench.surroundings(), sandbox=sandbox) as runner:
        return await run(runner, bench.script(script, **fields))


def test_a_daemon_settles_below_what_was_delegated_and_hands_the_controllers_down(group, settled):
    assert (settled.root, settled.controllers) == (str(group), ("memory", "pids"))
    assert groups.place_of() == group / cgroups.OWN
    assert groups.processes_in(group) == []
    assert (group / "cgroup.subtree_control").read_text().split() == ["memory", "pids"]
    assert cgroups.look() == settled
    assert cgroups.settle() == settled  # a child of a supervisor, or a second time


@pytest.mark.parametrize("permissions", [None, CONFINED])
async def test_all_processes_of_a_run_together_are_held_to_its_memory(bench, group, settled, permissions):
    outcome = await outcome_of(
        bench, settled, TAKES_TWICE, permissions=permissions, limits=Limits(memory=100 * MIB)
    )
    assert (outcome.kind, outcome.cause, outcome.exit_code) == (Kind.CRASHED, Cause.CRASH, -signal.SIGKILL)
    assert outcome.error == "killed by limits.memory = 100M, which holds for the run as a whole"
    assert groups.runs_in(group) == []


@pytest.mark.parametrize("permissions", [None, CONFINED])
async def test_what_a_run_only_reserves_is_not_counted(bench, settled, permissions):
    script = f'"{sys.executable}" -S -c "import mmap; mmap.mmap(-1, 1 << 30)" && echo "{{}}"'
    outcome = await outcome_of(
        bench, settled, script, permissions=permissions, limits=Limits(memory=100 * MIB)
    )
    assert outcome.kind is Kind.SUCCEEDED, outcome.error


@pytest.mark.parametrize("permissions", [None, CONFINED])
async def test_a_run_of_root_starts_no_more_processes_than_its_limit(bench, group, settled, permissions):
    limits = Limits(processes=10)
    outcome = await outcome_of(
        bench, settled, FORKS.replace("COUNT", "10"), permissions=permissions, limits=limits
    )
    assert outcome.kind is Kind.FAILED
    assert outcome.error.startswith(
        "held by limits.processes = 10 (threads count, too): it tried to start more ("
    )
    fewer = await outcome_of(
        bench, settled, FORKS.replace("COUNT", "9"), permissions=permissions, limits=limits
    )
    assert fewer.kind is Kind.SUCCEEDED, fewer.error
    assert groups.runs_in(group) == []


@pytest.mark.parametrize("permissions", [None, CONFINED])
async def test_only_limits_that_a_group_keeps_bring_one(bench, group, settled, permissions):
    script = 'printf \'{"in": "%s"}\' "$(sed -n s/^0:://p /proc/self/cgroup)"'
    for limits, expected in ((Limits(), cgroups.OWN), (Limits(cpu_seconds=60), cgroups.OWN)):
        outcome = await outcome_of(bench, settled, script, permissions=permissions, limits=limits)
        assert expected.encode() in outcome.result, outcome
    for limits in (Limits(memory=100 * MIB), Limits(processes=20)):
        outcome = await outcome_of(bench, settled, script, permissions=permissions, limits=limits)
        assert f"run-{os.getpid()}-".encode() in outcome.result, outcome


async def test_what_a_run_leaves_behind_ends_and_its_group_with_it(bench, group, settled):
    script = "(setsid sh -c 'setsid sleep 300 & sleep 300' &) ; sleep 0.2; echo '{}'"
    outcome = await outcome_of(bench, settled, script, limits=Limits(memory=100 * MIB))
    assert outcome.kind is Kind.SUCCEEDED
    assert groups.runs_in(group) == []


async def test_a_run_that_may_write_everywhere_does_not_reach_the_groups(bench, settled):
    script = f'ls "{settled.mount}" && exit 3; echo 0 > "{settled.mount}/cgroup.procs" && exit 4; echo "{{}}"'
    outcome = await outcome_of(
        bench, settled, script, permissions=Permissions(run=True, write=True), limits=Limits(processes=20)
    )
    assert outcome.kind is Kind.SUCCEEDED, outcome.error


@pytest.mark.parametrize("permissions", [None, CONFINED])
async def test_a_group_that_cannot_be_made_is_told_and_refused_where_all_must_hold(
    bench, group, settled, permissions
):
    (group / "cgroup.max.descendants").write_text("1")
    limits = Limits(memory=100 * MIB)
    refused = await outcome_of(bench, settled, "echo '{}'", permissions=permissions, limits=limits)
    assert (refused.kind, refused.cause) == (Kind.FAILED, Cause.PERMISSION_DENIED)
    assert "the control group of the run could not be made" in refused.error
    run_anyway = await outcome_of(
        bench, settled, "echo '{}'", strictness=Strictness.BEST_EFFORT, permissions=permissions, limits=limits
    )
    assert run_anyway.kind is Kind.SUCCEEDED, run_anyway.error


def test_a_daemon_ends_what_a_dead_one_left_and_nothing_of_a_live_one(group):
    with subprocess.Popen(["sleep", "300"]) as left, subprocess.Popen(["sleep", "300"]) as kept:
        try:
            dead = group / "run-999999999-1-dead"
            reused = group / f"run-{os.getpid()}-1-reused"
            alive = group / cgroups.name_of_run("alive")
            for path in (dead, reused, alive):
                path.mkdir()
            groups.put(dead, left.pid)
            groups.put(alive, kept.pid)
            with groups.settled(group) as found:
                assert found.settled
                assert left.wait(30) == -signal.SIGKILL
                assert kept.poll() is None
                until(lambda: groups.runs_in(group) == [alive.name], "the end of the dead daemon's groups")
        finally:
            left.kill()
            kept.kill()


def test_a_group_with_other_processes_is_left_as_it_is(group):
    with subprocess.Popen(["sleep", "300"]) as other:
        try:
            groups.put(group, other.pid)
            with groups.settled(group) as found:
                assert "holds other processes too" in found.missing
                assert "Delegate" in found.cure
                assert groups.place_of() == group
                assert groups.runs_in(group) == []
        finally:
            other.kill()
