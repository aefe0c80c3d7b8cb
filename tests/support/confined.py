"""Runs confined programs in tests: through the real spawner as this user, or as an ordinary one in a process of its own."""

import asyncio
import os
import select
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Limits, Source, Target, TaskType
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn import Held, start_confined
from netscript_workers.processes.spawn_messages import Refused, order_for
from netscript_workers.processes.spawner import Spawner
from netscript_workers.sandbox.cgroups import look
from netscript_workers.sandbox.enter import apply, prepare
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.kernel_sandbox import MODULE, KernelSandbox, Strictness
from netscript_workers.sandbox.leaf import Leaves
from netscript_workers.sandbox.making import Maker
from netscript_workers.sandbox.probe import probe

NOBODY = 65534
PATH = "/usr/local/bin:/usr/bin:/bin"
SECONDS = 30

Start = Callable[[CommandSpec], Awaitable[tuple[int, bytes, bytes]]]


class Run(msgspec.Struct, frozen=True):
    """What a run left: exit status (or minus a signal), both outputs, and what it was said to be denied."""

    status: int
    out: str
    err: str
    denied: str | None = None
    not_enforced: tuple[str, ...] = ()
    reached: str | None = None


class Order(msgspec.Struct, frozen=True):
    """What is to be run, and how."""

    argv: tuple[str, ...]
    cwd: str
    permissions: Permissions | None = None
    limits: Limits = Limits()
    env: Mapping[str, str] = {}
    entry: str = "/usr/bin/true"
    without_rooms: bool = False
    landlock: int | None = None
    strictness: str = "require"
    hidden: tuple[str, ...] = ()
    type: TaskType = TaskType.EXECUTABLE


def target_of(order: Order) -> Target:
    return Target(
        id="under-test",
        concept=Concept.TASK,
        source=Source.CONFIG,
        file="config.toml",
        path=order.entry,
        type=order.type,
        permissions=order.permissions,
        limits=order.limits,
        env={name: value for name, value in order.env.items() if not name.startswith("PARENT_")},
    )


async def run_all(orders: Sequence[Order], host: Host, *, by_keeper: bool) -> list[Run]:
    """Run each order; the host is as it was probed, less what an order takes away."""
    if not by_keeper:
        prepare()
        here = _here(Maker(_say))
        return [await run_one(here, order, host) for order in orders]
    spawner = Spawner([MODULE])
    await spawner.start()
    try:
        return [await run_one(_by(spawner), order, host) for order in orders]
    finally:
        await spawner.stop(5_000)


async def run_one(start: Start, order: Order, host: Host) -> Run:
    if order.without_rooms:
        host = msgspec.structs.replace(host, rooms_missing="switched off by the test")
    if order.landlock is not None:
        host = msgspec.structs.replace(host, landlock=order.landlock)
    sandbox = KernelSandbox(Strictness(order.strictness), order.hidden, host=host, leaves=Leaves(look()))
    spec = CommandSpec(argv=order.argv, env={"PATH": PATH, **order.env}, cwd=order.cwd)
    confined = await sandbox.confine(target_of(order), spec)
    try:
        status, out, err = await start(confined.spec)
        text = err.decode("utf-8", "replace")
        denied = confined.denied(text.splitlines()) if status else None
        said = (text, denied, confined.not_enforced, confined.reached() if status else None)
        return Run(status, out.decode("utf-8", "replace"), *said)
    finally:
        await confined.close()
        await sandbox.stop()


def _by(spawner: Spawner) -> Start:
    async def start(spec: CommandSpec) -> tuple[int, bytes, bytes]:
        child = await spawner.spawn(spec)
        out = asyncio.create_task(asyncio.to_thread(_read_all, child.stdout))
        err = asyncio.create_task(asyncio.to_thread(_read_all, child.stderr))
        exited = await asyncio.wait_for(child.ended, SECONDS)
        assert exited is not None
        refused = f"refused: {child.refused.step}: {child.refused.reason}" if child.refused else ""
        return exited.status, await out, await err + refused.encode()

    return start


def _say(refused: Refused) -> None:
    os.write(2, f"refused: {refused.step}: {refused.reason}".encode())


def _here(maker: Maker) -> Start:
    """Start as a keeper does, without one: for a user who may not execute this interpreter."""

    async def start(spec: CommandSpec) -> tuple[int, bytes, bytes]:
        out, err, null = os.pipe(), os.pipe(), os.open("/dev/null", os.O_RDONLY)
        order, fds = order_for(1, spec), (null, out[1], err[1])
        held = await asyncio.to_thread(maker.take, order, fds)  # the proxy it may ask is served by this loop
        pid = held.pid if held else start_confined(order, fds, apply, ProcessControl(), _say)
        for fd in fds:
            os.close(fd)
        if held is not None:
            maker.ask(order)
        reading = [asyncio.to_thread(_read_all, fd) for fd in (out[0], err[0])]
        status, *texts = await asyncio.gather(asyncio.to_thread(_attend, maker, held, pid), *reading)
        return os.waitstatus_to_exitcode(status), *texts

    return start


def _attend(maker: Maker, held: Held | None, pid: int) -> int:
    """Wait for the end of a run as its keeper does; returns its wait status."""
    if held is None:
        return os.waitpid(pid, 0)[1]
    ended = os.pidfd_open(pid)
    end = None
    while end is None and ended not in select.select([held, ended], [], [], SECONDS)[0]:
        end = held.attend()
    end = end or held.attend()
    os.close(ended)
    maker.let_go(held)
    _, status = os.waitpid(pid, 0)
    maker.has_ended(pid)
    return status if end is None else end.status


def _read_all(fd: int) -> bytes:
    os.set_blocking(fd, True)
    with os.fdopen(fd, "rb") as file:
        return file.read()


def run_as(user: int, orders: Sequence[Order]) -> list[Run]:
    """Run orders as `user`: as this one, or in a child that becomes that user first (which only root can have)."""
    if user == os.getuid():
        return asyncio.run(run_all(orders, probe(), by_keeper=True))
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        status = 1
        try:
            become(user)
            os.write(writing, msgspec.msgpack.encode(asyncio.run(run_all(orders, probe(), by_keeper=False))))
            status = 0
        except BaseException as error:  # the parent fails the test with it
            os.write(writing, b"\xc1" + repr(error).encode())
        finally:
            os._exit(status)
    os.close(writing)
    data = _read_all(reading)
    os.waitpid(pid, 0)
    assert not data.startswith(b"\xc1"), data[1:].decode()
    return msgspec.msgpack.decode(data, type=list[Run])


def become(user: int) -> None:
    """Be `user` from now on, for good; only root can."""
    import ctypes

    tempfile.tempdir = "/tmp"  # the one of this session is root's alone
    os.setgroups([])
    os.setresgid(user, user, user)
    os.setresuid(user, user, user)
    ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)  # as a program that was started by that user: its /proc is its own
    sys.stderr.flush()
