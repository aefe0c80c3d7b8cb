"""The daemon's end of one zygote: starts it, asks it for slots, hears how they end."""

import asyncio
import contextlib
import os
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Mapping
from typing import Final, NamedTuple

from msgspec import structs

from netscript_workers.domain.command import Confinement
from netscript_workers.errors import SlotError
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.processes.tree import children_of
from netscript_workers.runners.ahead import IS_SUPPORTED, Ahead
from netscript_workers.runners.messages import (
    FROM_ZYGOTE,
    Exited,
    Fork,
    FrameReader,
    Kill,
    Ready,
    Setup,
    Started,
    frame,
)
from netscript_workers.runners.slot_process import SlotProcess

_CHUNK: Final = 65_536
_POLL_SECONDS: Final = 0.01
_KILL_SECONDS: Final = 5.0


class ZygoteLink:
    """One zygote process and the slots it has forked. `on_lost` is called once, when it ends without having been asked to."""

    def __init__(self, setup: Setup, environment: Mapping[str, str], on_lost: Callable[[], None]) -> None:
        self._setup = setup
        self._environment = environment
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._reader = FrameReader(FROM_ZYGOTE)
        self._unsent: deque[tuple[bytes, tuple[int, ...]]] = deque()
        self._is_waiting_to_write = False
        self._slots: dict[int, SlotProcess] = {}
        self._serial = 0
        self._ready: asyncio.Future[Ready] = self._loop.create_future()
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    @property
    def pid(self) -> int:
        """The process id of the zygote; 0 before it was started."""
        return self._process.pid if self._process else 0

    @property
    def alive(self) -> bool:
        """Whether slots can be asked for."""
        return self._control is not None

    async def start(self, timeout_ms: int) -> Ready:
        """Start the process and wait until it has loaded the modules; raises `SlotError` when it does not come up."""
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise SlotError(f"no connection to a process that forks slots could be made: {error}") from error
        ours.settimeout(0)
        with theirs:
            try:
                self._process = subprocess.Popen(  # noqa: ASYNC220 - a millisecond, once, and the fork must be this thread's
                    [sys.executable, "-P", "-m", "netscript_workers.runners.zygote", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
                    pass_fds=(theirs.fileno(),),
                    env=dict(self._environment),
                    start_new_session=True,
                )
            except OSError as error:
                ours.close()
                raise SlotError(
                    f"the process that slots are forked from could not be started: {error}"
                ) from error
        self._control = ours
        self._loop.add_reader(ours, self._on_readable)
        self._send(frame(self._setup))
        done, _ = await asyncio.wait({self._ready}, timeout=timeout_ms / 1000)
        if not done:
            raise SlotError(
                f"the job modules were not imported within {timeout_ms} ms; one of them hangs when it is imported "
                f"(`py-spy dump --pid {self.pid}` shows where)"
            )
        return self._ready.result()

    def fork(self, *, once: bool, confinement: Confinement | None = None) -> SlotProcess:
        """Ask for a slot, held to `confinement`; it can be given a run at once. What goes wrong with it is reported as its exit.

        Raises `SlotError` when this process has no descriptors left for one.
        """
        self._serial += 1
        serial = self._serial
        channels = _channels(with_ahead=IS_SUPPORTED and not once)
        channels.ours.settimeout(0)
        slot = SlotProcess(
            self._loop,
            channels.ours,
            (channels.out[0], channels.err[0]),
            lambda: self._send(frame(Kill(serial))),
            channels.ahead,
        )
        self._slots[serial] = slot
        self._send(frame(Fork(serial, once, channels.ahead is not None, confinement)), channels.of_slot())
        if not self._setup.load:
            slot.send(structs.replace(self._setup, confinement=confinement))
        return slot

    async def close(self, grace_ms: int) -> None:
        """End the zygote and with it every slot; kills it when it is not done within `grace_ms`. Idempotent."""
        self._disconnect()
        await self.reap(grace_ms)
        self._drop_slots("the daemon stops its slots")

    async def reap(self, grace_ms: int) -> None:
        """Wait for the end of the process, whose connection is closed; kills it when it takes longer than `grace_ms`."""
        process = self._process
        if process is not None and not await _ended(process, grace_ms / 1000):
            process.kill()
            await _ended(process, _KILL_SECONDS)

    def slot_pids(self) -> frozenset[int]:
        """Return the process ids of the slots that have not been reported as gone, and of those not reported as started yet."""
        told = (slot.pid for slot in self._slots.values() if slot.pid)
        return frozenset(told) | frozenset(children_of(self.pid) if self.pid else ())

    @property
    def slots(self) -> list[SlotProcess]:
        """The slots that have not been reported as gone."""
        return list(self._slots.values())

    def ending(self) -> str:
        """Say how the zygote ended."""
        code = self._process.poll() if self._process else None
        return "ended" if code is None else ending_in_words(code)

    def _disconnect(self) -> None:
        if self._control is not None:
            self._loop.remove_reader(self._control)
            self._loop.remove_writer(self._control)
            self._control.close()
            self._control = None
        for _, fds in self._unsent:
            _close(fds)
        self._unsent.clear()

    def _lose(self) -> None:
        self._disconnect()
        if self._ready.done():
            self._on_lost()
        else:
            self._ready.set_exception(
                SlotError("the process that slots are forked from ended while it imported the job modules")
            )

    def _drop_slots(self, why: str) -> None:
        """End the runs of slots that nobody watches any more."""
        for slot in list(self._slots.values()):
            slot.on_exited(Exited(0, 0, error=why))
        self._slots.clear()

    def lose_slots(self) -> None:
        """End the runs under way as crashed: the zygote is gone, and its slots with it."""
        self._drop_slots(
            f"the process that slots are forked from {self.ending()}, and its slots ended with it"
        )

    def _on_readable(self) -> None:
        if self._control is None:
            return
        try:
            data = self._control.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose()
            return
        for message in self._reader.feed(data):
            self._take(message)

    def _take(self, message: Ready | Started | Exited) -> None:
        if isinstance(message, Ready):
            if not self._ready.done():
                self._ready.set_result(message)
        elif isinstance(message, Started):
            slot = self._slots.get(message.serial)
            if slot is not None:
                slot.pid = message.pid
        else:
            slot = self._slots.pop(message.serial, None)
            if slot is not None:
                slot.on_exited(message)

    def _send(self, data: bytes, fds: tuple[int, ...] = ()) -> None:
        """Send in order; `fds` (owned) go along with the first byte and are closed here."""
        if self._control is None:
            _close(fds)
            return
        self._unsent.append((data, fds))
        if len(self._unsent) == 1:
            self._flush()

    def _flush(self) -> None:
        control = self._control
        while self._unsent and control is not None:
            data, fds = self._unsent[0]
            try:
                sent = socket.send_fds(control, [data], fds) if fds else control.send(data)
            except BlockingIOError:
                self._loop.add_writer(control, self._flush)
                self._is_waiting_to_write = True
                return
            except OSError:
                return  # it is dead: the reader finds out and lets go of everything
            _close(fds)
            if sent == len(data):
                self._unsent.popleft()
            else:
                self._unsent[0] = (data[sent:], ())
        if control is not None and self._is_waiting_to_write:
            self._loop.remove_writer(control)
            self._is_waiting_to_write = False


class _Channels(NamedTuple):
    """What connects the daemon with a slot: the connection, the pipes of stdout and stderr, and where runs come ahead."""

    ours: socket.socket
    theirs: socket.socket
    out: tuple[int, int]
    err: tuple[int, int]
    ahead: Ahead | None
    ahead_of_slot: int | None

    def of_slot(self) -> tuple[int, ...]:
        """Return the descriptors that the slot gets; they are the caller's to close."""
        fds = (self.theirs.detach(), self.out[1], self.err[1])
        return fds if self.ahead_of_slot is None else (*fds, self.ahead_of_slot)


def _channels(*, with_ahead: bool) -> _Channels:
    """Make what connects a slot, or nothing."""
    with contextlib.ExitStack() as undo:
        try:
            ours, theirs = socket.socketpair()
            undo.callback(ours.close)
            undo.callback(theirs.close)
            out = os.pipe()
            undo.callback(_close, out)
            err = os.pipe()
            undo.callback(_close, err)
            ahead = copy = None
            if with_ahead:
                ahead = Ahead()
                undo.callback(ahead.close)
                copy = os.dup(ahead.fileno())
        except OSError as error:
            raise SlotError(
                f"no slot can be made: {error}. Each slot takes 5 descriptors of the daemon; raise its limit (ulimit -n, "
                "LimitNOFILE) or lower the concurrency."
            ) from error
        undo.pop_all()
    return _Channels(ours, theirs, out, err, ahead, copy)


async def _ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait for the end of `process` and reap it; False when it still lives after `seconds`."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            while process.poll() is None:  # noqa: ASYNC110 - the kernel tells the end of a child by a signal only
                await asyncio.sleep(_POLL_SECONDS)
    return process.poll() is not None


def _close(fds: tuple[int, ...]) -> None:
    for fd in fds:
        os.close(fd)
