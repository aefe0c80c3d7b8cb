"""The process that slots are forked from: single-threaded, with the job modules loaded, no event loop and no connection.

It owns every slot: it reaps them, ends them with all their descendants when told to, and ends everything when
the daemon's end of the control socket closes, however the daemon died. Slots adopt what daemonises itself
below them, and this process adopts what a dead slot leaves, so nothing escapes by losing its parent.

`python -m netscript_workers.runners.zygote FD`: FD is the control socket, a blocking stream socket.
"""

import gc
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Final, NoReturn

from msgspec import structs

from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.tree import children_of, kill_tree
from netscript_workers.runners.child import Slot, make_outputs_live
from netscript_workers.runners.confining import confine, prepare, refuse
from netscript_workers.runners.endings import Endings
from netscript_workers.runners.fork_safety import reseed, slot_oom_score, take_oom_score, unsafe_to_fork
from netscript_workers.runners.handlers import Handlers
from netscript_workers.runners.messages import (
    TO_ZYGOTE,
    Exited,
    Fork,
    FrameReader,
    Kill,
    Message,
    Ready,
    Setup,
    Started,
    frame,
)
from netscript_workers.runners.slot_loop import SlotLoop, loop_to_fork
from netscript_workers.runners.warm_up import warm_up

_CHUNK: Final = 65_536
_FDS_PER_FORK: Final = 3
_KILL_SECONDS: Final = 2.0  # how long the end of a slot waits for its last descendant
_END_SECONDS: Final = 5.0  # how long the end of this process waits for the last of all
_LOOK_AGAIN_MS: Final = 20

_FAULT_STATUS: Final = 70

# What `signal.signal` wraps: without its turning of numbers into enums and back, which costs a fork twenty pages of its own.
_set_signal: Final[Callable[[int, int], object]] = vars(sys.modules["_signal"])["signal"]
_OURS: Final = tuple(map(int, (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP)))
_DEFAULT: Final = int(signal.SIG_DFL)


class DaemonGoneError(Exception):
    """The daemon has closed the control socket, or died."""


class Zygote:
    """Forks and ends slots as the daemon asks over `control`."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._reader = FrameReader(TO_ZYGOTE)
        self._fds: deque[int] = deque()
        self._process = ProcessControl()
        self._pid = os.getpid()
        self._slots: dict[int, int] = {}  # serial by pid
        self._modules_own: frozenset[int] = frozenset()  # what the job modules started on import
        self._endings = Endings()
        self._ended: list[Exited] = []
        self._give_up_at = 0.0
        self._setup = Setup((), "")
        self._handlers = Handlers((), "")
        self._uses_gc = True
        self._oom_score: bytes | None = None
        self._loop: SlotLoop | None = None
        self._wake_reading, self._wake_writing = socket.socketpair()

    def main(self) -> None:
        """Load the handlers, then serve until the daemon is gone; everything below this process is gone when it returns."""
        self._process.die_with_parent()  # an import that hangs must not outlive the daemon; nothing has been forked yet
        self._process.adopt_orphans()
        try:
            self._prepare()
            self._process.die_with_parent(
                0
            )  # from here on a dead daemon is a closed socket, and there may be slots to end
            self._serve()
        except DaemonGoneError:
            self._end_all()

    def _prepare(self) -> None:
        setup = self._read_setup()
        handlers = Handlers(setup.handlers, setup.root)
        if setup.load:
            prepare(setup.modules)
            warm_up()
        errors = handlers.load_all() if setup.load else {}
        self._loop = loop_to_fork() if setup.load else None
        self._uses_gc = gc.isenabled()  # the job modules may have a mind of their own
        gc.disable()
        gc.collect()
        gc.freeze()  # a collection in a slot then leaves the shared pages alone
        self._setup = setup
        self._handlers = handlers
        self._modules_own = frozenset(children_of(self._pid))
        self._oom_score = slot_oom_score()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(
                number, signal.SIG_IGN
            )  # the daemon decides when slots end, not whoever signals the group
        signal.signal(signal.SIGCHLD, _wake_up)
        self._wake_reading.settimeout(0)
        self._wake_writing.settimeout(0)
        signal.set_wakeup_fd(self._wake_writing.fileno(), warn_on_full_buffer=False)
        make_outputs_live()
        self._send(Ready(errors, unsafe_to_fork()))

    def _read_setup(self) -> Setup:
        while True:
            for message in self._receive():
                if isinstance(message, Setup):
                    return message

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(self._wake_reading, select.POLLIN)
        control = self._control.fileno()
        while True:
            events = poll.poll(_LOOK_AGAIN_MS if self._ended else None)
            for fd, _ in events:
                if fd == control:
                    for message in self._receive():
                        self._obey(message)
                else:
                    self._wake_reading.recv(_CHUNK)
            if self._ended or len(events) > 1 or (events and events[0][0] != control):
                self._reap()

    def _obey(self, message: object) -> None:
        if isinstance(message, Fork):
            fds = [self._fds.popleft() for _ in range(_FDS_PER_FORK + message.ahead)]
            try:
                self._fork(message, fds)
            finally:
                for fd in fds:
                    os.close(fd)
        elif isinstance(message, Kill):
            for pid, serial in self._slots.items():
                if serial == message.serial:
                    self._endings.killing(serial, pid)
                    kill_tree(pid)
                    break

    def _fork(self, order: Fork, fds: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            self._send(Exited(order.serial, 0, error=f"no process could be forked for a slot: {error}"))
            return
        if pid == 0:
            self._become_slot(order, fds)
        self._slots[pid] = order.serial
        self._send(Started(order.serial, pid))

    def _become_slot(self, order: Fork, fds: list[int]) -> NoReturn:
        """Be the slot, and never return into the loop of the zygote."""
        status = _FAULT_STATUS
        try:
            os.setsid()
            self._process.die_with_parent()
            if os.getppid() != self._pid:
                os._exit(status)  # the zygote died before the kernel was told to tell us
            self._process.adopt_orphans()
            signal.set_wakeup_fd(-1)
            for number in _OURS:
                _set_signal(number, _DEFAULT)
            connection, stdout, stderr, *ahead = fds
            os.dup2(stdout, 1)
            os.dup2(stderr, 2)
            for fd in (stdout, stderr, *self._fds):
                os.close(fd)
            self._wake_reading.close()
            self._wake_writing.close()
            self._control.close()
            take_oom_score(self._oom_score)
            if order.confinement is not None and self._setup.load:
                try:
                    confine(order.confinement)
                except OSError as error:
                    refuse(connection, error)
                    os._exit(0)
            self._be_slot(connection, ahead[0] if ahead else None, once=order.once)
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must be seen, and must not reach the zygote's code
            traceback.print_exc()
        finally:
            os._exit(status)

    def _be_slot(self, connection: int, ahead: int | None, *, once: bool) -> None:
        sockets = [connection] if ahead is None else [connection, ahead]
        for fd in sockets:
            os.set_inheritable(fd, not self._setup.load)
        if not self._setup.load:
            mode = "once" if once else "warm"
            arguments = ["-P", "-m", "netscript_workers.runners.child", mode, *map(str, sockets)]
            os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - our own interpreter, no shell
        if self._uses_gc:
            gc.enable()
        reseed()
        connections = (socket.socket(fileno=fd) for fd in sockets)
        Slot(*connections, handlers=self._handlers, once=once, loop=self._loop).serve()

    def _reap(self) -> None:
        """Take in what has ended, end what it left behind, and report those whose whole family is gone."""
        before = len(self._ended)
        self._collect()
        if not self._ended:
            return
        if not before:
            self._give_up_at = time.monotonic() + _KILL_SECONDS
        orphans = [
            pid for pid in children_of(self._pid) if pid not in self._slots and pid not in self._modules_own
        ]
        for pid in orphans:
            kill_tree(pid)
        if orphans and time.monotonic() < self._give_up_at:
            return
        for exited in self._ended:
            self._send(structs.replace(exited, survivors=len(orphans)) if orphans else exited)
        self._ended.clear()

    def _collect(self) -> None:
        for pid, exited in self._endings.reap(self._slots):
            self._modules_own -= {pid}
            if exited is not None:
                self._ended.append(exited)

    def _end_all(self) -> None:
        """End every process below this one, however often it forked or changed its session."""
        give_up_at = time.monotonic() + _END_SECONDS
        while time.monotonic() < give_up_at:
            self._collect()
            children = children_of(self._pid)
            if not children:
                return
            for pid in children:
                kill_tree(pid)
            select.select([self._wake_reading], [], [], _LOOK_AGAIN_MS / 1000)
        sys.stderr.write(f"netscript-workers: processes {children_of(self._pid)} could not be ended\n")

    def _receive(self) -> list[Setup | Fork | Kill]:
        try:
            data, fds, _, _ = socket.recv_fds(self._control, _CHUNK, 64)
        except ConnectionError:
            raise DaemonGoneError from None
        self._fds += fds
        if not data:
            raise DaemonGoneError
        return self._reader.feed(data)

    def _send(self, message: Message) -> None:
        try:
            self._control.sendall(frame(message))
        except ConnectionError:
            raise DaemonGoneError from None


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler makes Python write to the wakeup socket."""


def main() -> None:
    """Serve on the control socket named on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    Zygote(control).main()
    os._exit(0)


if __name__ == "__main__":
    main()
