"""Whatever of a confined run is killed, its program ends, that is told, and nothing is left."""

import asyncio
import os
import signal
import sys

import pytest

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.permissions import Permissions
from netscript_workers.processes.spawner import Spawner
from netscript_workers.processes.tree import children_of, descendants_of
from netscript_workers.sandbox.kernel_sandbox import MODULE, KernelSandbox, Strictness
from netscript_workers.sandbox.probe import probe
from support.confined import PATH, SECONDS, Order, target_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
]


@pytest.fixture
async def confined():
    """Start confined programs through one spawner: a function of the permissions and the words of a shell."""
    host = probe()
    spawner = Spawner([MODULE])
    await spawner.start()
    sandbox = KernelSandbox(Strictness.REQUIRE, host=host)

    async def start(code, **grants):
        order = Order(
            argv=("/bin/bash", "-c", code), cwd="/", permissions=Permissions(**{"run": True, **grants})
        )
        spec = CommandSpec(argv=order.argv, env={"PATH": PATH}, cwd="/")
        return await spawner.spawn((await sandbox.confine(target_of(order), spec)).spec)

    start.spawner = spawner
    try:
        yield start
    finally:
        await spawner.stop(5_000)
        await sandbox.stop()


async def ended(child):
    exited = await asyncio.wait_for(asyncio.shield(child.ended), SECONDS)
    os.close(child.stdout)
    os.close(child.stderr)
    return exited


async def until(holds):
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


async def working(child):
    """Wait for the first word of the program; returns all processes of the run, the init of its rooms first."""
    await until(lambda: _ready(child.stdout))
    return [child.pid, *descendants_of(child.pid)]


def _ready(fd):
    try:
        return os.read(fd, 100) != b""
    except BlockingIOError:
        return False


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.parametrize("which", [0, 1], ids=["the init of the rooms", "the program"])
@pytest.mark.parametrize("ahead", [False, True], ids=["made for it", "made ahead"])
async def test_a_killed_process_ends_the_run(confined, which, ahead):
    if ahead:
        assert (await ended(await confined("exit 0"))).status == 0
    child = await confined("echo up; sleep 3600 & wait")
    family = await working(child)
    os.kill(family[which], signal.SIGKILL)
    assert (await ended(child)).status == -signal.SIGKILL
    await until(lambda: all(is_gone(pid) for pid in family))


async def test_a_run_of_another_kind_does_not_take_the_rooms_made_ahead(confined):
    statuses = [
        (await ended(await confined("exit 3", net=net))).status for net in (False, True, True, False, False)
    ]
    assert statuses == [3] * 5


async def test_rooms_made_ahead_and_killed_are_made_anew(confined):
    assert (await ended(await confined("exit 0"))).status == 0
    await until(lambda: len(descendants_of(confined.spawner.pid)) >= 3)  # a keeper, a maker, an init
    (keeper,) = children_of(confined.spawner.pid)
    waiting = descendants_of(keeper)
    for pid in waiting:
        os.kill(pid, signal.SIGKILL)
    await until(lambda: all(is_gone(pid) for pid in waiting))
    for _ in range(3):
        assert (await ended(await confined("exit 5"))).status == 5


async def test_a_hundred_runs_leave_nothing(confined):
    before = set(os.listdir("/proc/self/fd"))
    for _ in range(100):
        assert (await ended(await confined("(setsid sleep 3600 &) ; exit 0"))).status == 0
    assert len(set(os.listdir("/proc/self/fd")) - before) <= 2  # the connection to the keeper
    await until(lambda: len(descendants_of(confined.spawner.pid)) <= 3)


async def test_a_flood_of_denied_calls_harms_nobody(confined):
    code = (
        "for i in 1 2 3 4 5 6 7 8 9 10; do for j in 1 2 3 4 5 6 7 8 9 10; do /bin/x$i$j; done; done; exit 4"
    )
    child = await confined(code, run=False)
    exited = await asyncio.wait_for(asyncio.shield(child.ended), SECONDS)
    text = os.read(child.stderr, 1_000_000).decode()
    os.close(child.stdout)
    os.close(child.stderr)
    assert exited.status == 4
    assert text.count("netscript-workers: denied:") == 20  # each once, and not without end
