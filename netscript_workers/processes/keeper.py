"""A keeper: the process that starts one program at a time, waits for it, and ends all that it leaves behind.

A keeper adopts whatever daemonises itself below it, and has no other children than its program. So each further child is a
leftover of that very program, however often it forked, changed its session or emptied its environment. When the daemon's end of
the socket closes, however the daemon died, the keeper ends the program with all its descendants, and then itself.
"""

import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping
from types import FrameType
from typing import Final

from netscript_workers.processes.blocking_frames import BlockingFrames, DaemonGoneError
from netscript_workers.processes.ending import exit_code
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn import (
    NOT_STARTED,
    Confiner,
    Ended,
    Held,
    Maker,
    NotStartedError,
    start,
    start_confined,
)
from netscript_workers.processes.spawn_messages import (
    TO_KEEPER,
    Exited,
    Kill,
    Spawn,
    Started,
    ToKeeper,
)
from netscript_workers.processes.tree import children_of, end_families

_CHUNK: Final = 65_536
_FDS_PER_PROGRAM: Final = 3
_KILL_SECONDS: Final = 2.0  # how long the end of a program waits for its last descendant
_END_SECONDS: Final = 5.0  # how long the end of the keeper waits for it
_LOOK_AGAIN_MS: Final = 10
_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


class Keeper:
    """Serves the daemon over `connection` (owned, blocking). `confiners` say how to confine, by module."""

    def __init__(
        self, connection: socket.socket, process: ProcessControl, confiners: Mapping[str, Confiner]
    ) -> None:
        self._frames = BlockingFrames(connection, TO_KEEPER)
        self._process = process
        self._confiners = confiners
        self._own_pid = os.getpid()
        self._serial = 0
        self._pid = 0  # 0: no program
        self._maker: Maker | None = None
        self._held: Held | None = None
        self._exited: Exited | None = None
        self._was_held = False
        self._give_up_at = 0.0
        self._poll = select.poll()
        self._wake_reading, self._wake_writing = socket.socketpair()

    def main(self) -> None:
        """Serve until the daemon is gone; everything below this process is gone when it returns."""
        self._process.adopt_orphans()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _wake_up)  # the daemon decides when programs end
        self._wake_reading.settimeout(0)
        self._wake_writing.settimeout(0)
        signal.set_wakeup_fd(self._wake_writing.fileno(), warn_on_full_buffer=False)
        try:
            self._serve()
        except DaemonGoneError:
            self._end_all()

    def _serve(self) -> None:
        poll = self._poll
        poll.register(self._frames, select.POLLIN)
        poll.register(self._wake_reading, select.POLLIN)
        control, wake = self._frames.fileno(), self._wake_reading.fileno()
        while True:
            events = poll.poll(None if self._exited is None else _LOOK_AGAIN_MS)
            woken = self._exited is not None
            for fd, _ in events:
                if fd == control:
                    for message in self._frames.receive():
                        self._obey(message)
                elif fd == wake:
                    woken = True
                    self._wake_reading.recv(_CHUNK)
                else:
                    self._attend()
                    woken = woken or self._exited is not None
            if woken:
                self._reap()

    def _obey(self, message: ToKeeper) -> None:
        if isinstance(message, Spawn):
            fds = self._frames.take_fds(_FDS_PER_PROGRAM)
            try:
                self._start(message, fds)
            finally:
                for fd in fds:
                    os.close(fd)
            if self._held is not None and self._maker is not None:
                self._maker.ask(message)  # the next program likely is of the same kind
        elif message.serial == self._serial and self._pid:
            if isinstance(message, Kill):
                end_families([self._pid])
            else:
                self._signal(message.number)

    def _start(self, order: Spawn, fds: list[int]) -> None:
        self._serial = order.serial
        try:
            if order.confinement is None:
                self._pid = start(order, fds)
            else:
                self._pid = self._start_confined(order, fds, self._confiners[order.confinement.module])
        except NotStartedError as error:
            self._frames.send(error.refused)
            self._frames.send(Exited(order.serial, NOT_STARTED))
        else:
            self._frames.send(Started(order.serial, self._pid))

    def _start_confined(self, order: Spawn, fds: list[int], confiner: Confiner) -> int:
        if self._maker is None and confiner.maker is not None:
            self._maker = confiner.maker(self._frames.send)
        self._held = self._maker.take(order, fds) if self._maker is not None else None
        if self._held is None:
            return start_confined(order, fds, confiner.confine, self._process, self._frames.send)
        self._poll.register(self._held, select.POLLIN)
        return self._held.pid

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self._pid, number)
        except ProcessLookupError:
            pass  # it is dead and not reaped yet: its exit is on its way
        except PermissionError:
            end_families([self._pid])  # it has changed its user; what can be ended is

    def _reap(self) -> None:
        """Take in what has ended, end what it left behind, and report the program once its whole family is gone."""
        self._collect()
        if self._exited is None:
            return
        leftovers: list[int] = []
        if not self._was_held:  # else nothing of it can be left
            leftovers = [
                pid for pid in children_of(self._own_pid) if self._maker is None or not self._maker.owns(pid)
            ]
        if leftovers:
            end_families(leftovers)
            if time.monotonic() < self._give_up_at:
                return
        exited, self._exited = self._exited, None
        self._frames.send(Exited(exited.serial, exited.status, exited.max_rss, exited.cpu_ms, len(leftovers)))

    def _collect(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                cpu_ms = round((usage.ru_utime + usage.ru_stime) * 1000)
                # The kernel counts this process's own memory in, for the moment before exec: a smaller figure says nothing.
                own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                peak = usage.ru_maxrss * _RSS_UNIT if usage.ru_maxrss > own else 0
                self._take_end(Ended(status, peak, cpu_ms))
            if self._maker is not None:
                self._maker.has_ended(pid)

    def _attend(self) -> None:
        """Look after a program in rooms of its own, which may tell its end before its first process has ended too."""
        end = self._held.attend() if self._held is not None else None
        if end is not None:
            self._take_end(end)

    def _take_end(self, end: Ended) -> None:
        self._was_held = self._held is not None
        if self._held is not None and self._maker is not None:
            end = self._held.attend() or end
            self._poll.unregister(self._held)
            self._maker.let_go(self._held)
            self._held = None
        self._pid = 0
        self._give_up_at = time.monotonic() + _KILL_SECONDS
        self._exited = Exited(self._serial, exit_code(end.status), end.max_rss, end.cpu_ms)

    def _end_all(self) -> None:
        give_up_at = time.monotonic() + _END_SECONDS
        while time.monotonic() < give_up_at:
            self._collect()
            children = children_of(self._own_pid)
            if not children:
                return
            end_families(children)
            select.select([self._wake_reading], [], [], _LOOK_AGAIN_MS / 1000)
        sys.stderr.write(f"netscript-workers: processes {children_of(self._own_pid)} could not be ended\n")


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler makes Python write to the wakeup socket, and leaves programs the default."""
