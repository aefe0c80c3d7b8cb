"""The watcher of a confined run: answers what its filter asks about, says what was denied, and ends as the program did."""

import os
import resource
import select
import signal
import socket
import struct
import time
from typing import Final, NoReturn

from netscript_workers.processes.spawn import Ended
from netscript_workers.processes.tree import children_of, kill_tree
from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.listening import Asked, answer, receive
from netscript_workers.sandbox.mark import MARK

_GROUP_SIGNALS: Final = (
    signal.SIGTERM,
    signal.SIGINT,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
_NOT_STARTED: Final = 127
_END: Final = struct.Struct("<IQQ")
_MAX_TOLD: Final = 20
_PATH_BYTES: Final = 4096
_END_SECONDS: Final = 2.0
_LOOK_AGAIN_MS: Final = 10


class Watch:
    """Watches over a run whose first process is `pid`; `channel` brings the listener of its filter, and the program's end.

    One start of a program is let through, our own code's, before anything else runs; in a process that `goes_on` as it is, none.
    Without rooms, what is left of the run is ended here. `spool` is a directory to be removed with it.
    """

    def __init__(
        self,
        pid: int,
        channel: socket.socket,
        kernel: Kernel,
        *,
        goes_on: bool,
        has_rooms: bool,
        spool: bytes = b"",
    ) -> None:
        self._pid = pid
        self._channel = channel
        self._kernel = kernel
        self._has_rooms = has_rooms
        self._spool = spool
        self._starts = {kernel.machine.number("execve"), kernel.machine.number("execveat")}
        self._has_begun = goes_on
        self._told: set[str] = set()
        self._status: int | None = None

    def serve(self) -> NoReturn:
        """Watch until the run is over, and end as the program did."""
        try:
            stand_aside(keeps_errors=True)
            self._serve()
            _, status = os.waitpid(self._pid, 0)
            if self._status is None:
                self._status = status  # of the program itself without rooms, or of an init that was killed
            if not self._has_rooms:
                self._end_descendants()
        except BaseException as error:  # noqa: BLE001 - it must be seen, and must not reach the code of whoever forked this
            os.write(2, f"netscript-workers: the watcher of a confined run failed: {error!r}\n".encode())
        finally:
            if self._spool:
                import shutil  # brings compression libraries, which would make every fork dearer

                shutil.rmtree(self._spool, ignore_errors=True)
            _end_like(_NOT_STARTED << 8 if self._status is None else self._status)

    def _serve(self) -> None:
        """Answer until the first process has ended, or has told how the program did."""
        ended = os.pidfd_open(self._pid)
        channel = self._channel.fileno()
        poll = select.poll()
        poll.register(channel, select.POLLIN)
        poll.register(ended, select.POLLIN)
        while self._status is None:
            events = dict(poll.poll())
            for fd in events.keys() - {channel, ended}:
                if events[fd] & select.POLLIN:
                    self._answer(fd)
                else:
                    poll.unregister(fd)  # nobody is held by the filter any more
            if channel in events and not self._hear(poll):
                poll.unregister(channel)
            elif ended in events and channel not in events:
                return

    def _hear(self, poll: select.poll) -> bool:
        """Take one message: the listener, or the program's end. False when no more will come."""
        data, fds, _, _ = socket.recv_fds(self._channel, 64, 1)
        for fd in fds:
            poll.register(fd, select.POLLIN)
        end = told_end(data)
        if end is not None:
            self._status = end.status
        return bool(data)

    def _end_descendants(self) -> None:
        give_up_at = time.monotonic() + _END_SECONDS
        while (children := children_of(os.getpid())) and time.monotonic() < give_up_at:
            for child in children:
                kill_tree(child)
            self._reap()
            select.select([], [], [], _LOOK_AGAIN_MS / 1000)

    def _reap(self) -> None:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return

    def _answer(self, listener: int) -> None:
        asked = receive(listener)
        if asked is None:
            return
        is_start = asked.number in self._starts
        if is_start and not self._has_begun:
            self._has_begun = True
            answer(listener, asked.key, denied=False)
            return
        told = self._run_asked(asked) if is_start else _network_asked(asked)
        if told not in self._told and len(self._told) < _MAX_TOLD:
            self._told.add(told)
            self._report(f"{MARK} {told}\n".encode("utf-8", "replace"))
        answer(listener, asked.key, denied=True)

    def _report(self, line: bytes) -> None:
        os.write(2, line)

    def _run_asked(self, asked: Asked) -> str:
        """Say which program was to be started: a report only, never a reason to let it through (the text may change any time)."""
        index = 1 if asked.number == self._kernel.machine.number("execveat") else 0
        path = _text_at(asked.pid, asked.arguments[index])
        return f"run {path}" if path else "run (a file without a name)"


def stand_aside(*, keeps_errors: bool) -> None:
    """Leave signals to the program, which shares this process group, and its outputs too.

    The watcher keeps standard error, for what is denied; a reader sees the end of it with the end of the run.
    """
    for number in _GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    for fd in (0, 1) if keeps_errors else (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)


def tell_end(channel: socket.socket, status: int) -> None:
    """Tell whoever watches that of a run only its init is left: the program's wait status, and what all of it has used."""
    own, others = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    # A program is counted with the memory of its init for the moment before it starts: a smaller figure says nothing.
    peak = others.ru_maxrss * 1024 if others.ru_maxrss > own.ru_maxrss else 0
    spent = own.ru_utime + own.ru_stime + others.ru_utime + others.ru_stime
    channel.send(_END.pack(status, peak, round(spent * 1000)))


def told_end(data: bytes) -> Ended | None:
    """Read what `tell_end` has told; None when it is something else."""
    return Ended(*_END.unpack(data)) if len(data) == _END.size else None


def _text_at(pid: int, address: int) -> str:
    try:
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            memory.seek(address)
            return (memory.read(_PATH_BYTES) or b"").split(b"\0", 1)[0].decode("utf-8", "backslashreplace")
    except (OSError, ValueError, OverflowError):
        return ""


def _network_asked(asked: Asked) -> str:
    family = asked.arguments[0] & 0xFFFFFFFF
    try:
        name = socket.AddressFamily(family).name
    except ValueError:
        name = f"family {family}"
    return f"net {name}"


def _end_like(status: int) -> NoReturn:
    """End with the same exit status or by the same signal, leaving no core of this process."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)
