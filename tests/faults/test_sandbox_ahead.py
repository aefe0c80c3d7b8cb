"""Rooms made ahead are used by runs of the same kind only, hold nothing of another run, and show the host as it is now."""

import asyncio
import os
import subprocess
import sys

import pytest

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Limits
from netscript_workers.processes.spawner import Spawner
from netscript_workers.processes.tree import children_of, descendants_of
from netscript_workers.sandbox.kernel_sandbox import MODULE, KernelSandbox, Strictness
from netscript_workers.sandbox.probe import probe
from support.confined import PATH, SECONDS, Order, target_of

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux"),
]


class Runs:
    """Confined runs of a shell, one after the other, by one keeper. `waiting` is the init of rooms made ahead."""

    def __init__(self, spawner, host, hidden):
        self.spawner = spawner
        self.sandbox = KernelSandbox(Strictness.REQUIRE, hidden, host=host)
        self.waiting = 0

    async def out(self, code, *, env=None, limits=None, cwd="/", leads_on=True, **grants):
        """Run `code`; returns what it printed, and if it ran in rooms made ahead. Waits for the next ones if it `leads_on`."""
        order = Order(
            argv=("/bin/bash", "-c", code),
            cwd=cwd,
            permissions=Permissions(**{"run": True, **grants}),
            limits=limits or Limits(),
            env=env or {},
        )
        spec = CommandSpec(argv=order.argv, env={"PATH": PATH, **(env or {})}, cwd=cwd)
        confined = await self.sandbox.confine(target_of(order), spec)
        try:
            child = await self.spawner.spawn(confined.spec)
            exited = await asyncio.wait_for(asyncio.shield(child.ended), SECONDS)
            out, err = (_all(fd) for fd in (child.stdout, child.stderr))
            assert exited.status == 0, (out, err, child.refused)
            was_ahead = child.pid == self.waiting
            if leads_on:
                await self._until_ready({child.pid, self.waiting})
            return out, was_ahead
        finally:
            await confined.close()

    async def _until_ready(self, before):
        """Wait until the next rooms are ready: of the inits, only theirs is left, held by its filter already."""
        (keeper,) = children_of(self.spawner.pid)
        async with asyncio.timeout(SECONDS):
            while True:
                inits = [pid for pid in children_of(keeper) if _is_init(pid)]
                if (
                    len(inits) == 1
                    and inits[0] not in before
                    and any(_has_filter(pid) for pid in (*inits, *descendants_of(inits[0])))
                ):
                    self.waiting = inits[0]
                    return
                await asyncio.sleep(0.01)


def _all(fd):
    with os.fdopen(fd, "rb") as file:
        return (file.read() or b"").decode()


def _is_init(pid):
    return _field(pid, "NSpid").split()[-1:] == ["1"]


def _has_filter(pid):
    return _field(pid, "Seccomp") == "2"


def _field(pid, name):
    try:
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            return next((line.split(":")[1].strip() for line in file if line.startswith(name + ":")), "")
    except (FileNotFoundError, ProcessLookupError):
        return ""


@pytest.fixture
async def runs(tmp_path):
    spawner = Spawner([MODULE])
    await spawner.start()
    runs = Runs(spawner, probe(), (str(tmp_path / "queue.db"),))
    try:
        yield runs
    finally:
        await spawner.stop(5_000)
        await runs.sandbox.stop()


async def test_the_next_run_of_a_target_has_the_rooms_that_were_made_ahead(runs):
    found = [await runs.out(f"echo {number} $0", env={"N": str(number)}) for number in range(4)]
    assert found == [(f"{number} /bin/bash\n", number > 0) for number in range(4)]


async def test_a_run_finds_nothing_of_the_one_before(runs):
    code = "env | grep ^SECRET; ls /tmp; ls /proc | grep -c '^[0-9]*$'; ls /proc/$$/fd | wc -w; cat"
    first, _ = await runs.out(f"touch /tmp/left; sleep 1000 & disown; {code}", env={"SECRET_A": "a"})
    second, was_ahead = await runs.out(code, env={"SECRET_B": "b"})
    assert was_ahead
    assert first.split()[0] == "SECRET_A=a"
    assert "left" in first
    assert second.split()[0] == "SECRET_B=b"
    assert "SECRET_A" not in second
    assert "left" not in second


async def test_the_waiting_rooms_hold_no_word_of_any_run(runs):
    await runs.out("true", env={"SECRET": "in-the-environment"})
    for place in ("environ", "cmdline"):
        with open(f"/proc/{runs.waiting}/{place}", "rb") as file:
            assert b"in-the-environment" not in file.read()
    held = os.listdir(f"/proc/{runs.waiting}/fd")
    assert len(held) == 4, (
        held
    )  # the standard ones, which lead to nothing of a run, and the channel that the order comes by


async def test_another_working_directory_or_other_grants_get_rooms_of_their_own(runs, tmp_path):
    await runs.out("true")
    there = {"cwd": str(tmp_path), "read": (str(tmp_path),)}
    assert await runs.out("pwd", leads_on=False, **there) == (f"{tmp_path}\n", False)
    assert await runs.out("pwd", **there) == (f"{tmp_path}\n", False)
    assert await runs.out("pwd", **there) == (f"{tmp_path}\n", True)
    assert await runs.out("pwd", leads_on=False) == ("/\n", False)


async def test_nothing_is_made_ahead_while_no_run_is_like_the_one_before(runs, tmp_path):
    await runs.out("true")
    for name in "abc":
        (tmp_path / name).mkdir()
        await runs.out("true", leads_on=False, read=(str(tmp_path / name),))
    (keeper,) = children_of(runs.spawner.pid)
    async with asyncio.timeout(SECONDS):
        while any(_is_init(pid) for pid in children_of(keeper)):
            await asyncio.sleep(0.01)


async def test_a_granted_file_that_was_replaced_meanwhile_is_seen_as_it_is_now(runs, tmp_path):
    file = tmp_path / "data"
    file.write_text("old")
    grant = {"read": (str(file),)}
    assert await runs.out(f"cat {file}", **grant) == ("old", False)
    (tmp_path / "new").write_text("new")
    (tmp_path / "new").rename(file)
    assert await runs.out(f"cat {file}", **grant) == ("new", False)
    assert await runs.out(f"cat {file}", **grant) == ("new", True)


async def test_a_hidden_file_that_came_meanwhile_is_hidden(runs, tmp_path):
    grant = {"read": (str(tmp_path),)}
    queue = tmp_path / "queue.db"
    await runs.out("true", **grant)
    queue.write_text("secret")
    out, was_ahead = await runs.out(f"cat {queue} 2>&1 || true", **grant)
    assert "secret" not in out
    assert not was_ahead
    (tmp_path / "other").write_text("secret too")
    (tmp_path / "other").rename(queue)
    assert "secret" not in (await runs.out(f"cat {queue} 2>&1 || true", **grant))[0]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount on the host")
async def test_what_was_mounted_meanwhile_is_seen(runs, tmp_path):
    place = tmp_path / "place"
    place.mkdir()
    grant = {"read": (str(tmp_path),)}
    await runs.out("true", **grant)
    subprocess.run(["mount", "-t", "tmpfs", "none", place], check=True)
    try:
        (place / "within").write_text("mounted")
        assert await runs.out(f"cat {place}/within", **grant) == ("mounted", False)
    finally:
        subprocess.run(["umount", place], check=True)


async def test_limits_bind_runs_in_rooms_made_ahead(runs):
    limits = Limits(memory=2**28, open_files=50, cpu_seconds=7)
    found = [await runs.out("ulimit -v; ulimit -n; ulimit -t", limits=limits) for _ in range(2)]
    assert found == [("262144\n50\n7\n", False), ("262144\n50\n7\n", True)]


async def test_a_maker_that_was_killed_is_replaced(runs):
    await runs.out("true")
    (keeper,) = children_of(runs.spawner.pid)
    (maker,) = (pid for pid in children_of(keeper) if pid != runs.waiting)
    os.kill(maker, 9)
    async with asyncio.timeout(SECONDS):
        while maker in children_of(keeper):
            await asyncio.sleep(0.01)
    assert (await runs.out("echo 1"))[0] == "1\n"
    assert await runs.out("echo 2") == ("2\n", True)
    assert len(descendants_of(runs.spawner.pid)) == 3


async def test_rooms_whose_init_was_killed_are_not_used(runs):
    await runs.out("true")
    os.kill(runs.waiting, 9)
    async with asyncio.timeout(SECONDS):
        while _is_init(runs.waiting):
            await asyncio.sleep(0.01)
    assert (await runs.out("echo 1"))[0] == "1\n"
    assert await runs.out("echo 2") == ("2\n", True)
