"""The process that keepers are forked from: single-threaded, small, with nothing of the daemon in it.

`python -m netscript_workers.processes.keeper_source FD`: FD is the control socket, a blocking stream socket. It ends when the
daemon's end of that closes; keepers notice by their own sockets. It adopts what a keeper that was killed leaves, and ends it.
"""

import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import traceback
from types import FrameType
from typing import Final, NoReturn

from netscript_workers.processes.blocking_frames import BlockingFrames, DaemonGoneError
from netscript_workers.processes.keeper import Keeper
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn import Confiner
from netscript_workers.processes.spawn_messages import TO_SOURCE, Keep, NotKept, Prepare, Ready
from netscript_workers.processes.tree import children_of, end_families

_CHUNK: Final = 65_536
_LOOK_AGAIN_MS: Final = 10
_END_SECONDS: Final = 10.0  # keepers give up on their programs before that
_FAULT_STATUS: Final = 70


class KeeperSource:
    """Forks keepers as the daemon asks over `control`."""

    def __init__(self, control: socket.socket) -> None:
        self._frames = BlockingFrames(control, TO_SOURCE)
        self._process = ProcessControl()
        self._pid = os.getpid()
        self._keepers: set[int] = set()
        self._confiners: dict[str, Confiner] = {}
        self._leftovers = False
        self._wake_reading, self._wake_writing = socket.socketpair()

    def main(self) -> None:
        """Serve until the daemon is gone, then wait for the keepers."""
        self._process.adopt_orphans()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
            signal.signal(number, _wake_up)
        self._wake_reading.settimeout(0)
        self._wake_writing.settimeout(0)
        signal.set_wakeup_fd(self._wake_writing.fileno(), warn_on_full_buffer=False)
        gc.disable()
        try:
            self._serve()
        except DaemonGoneError:
            self._wait_for_keepers()

    def _serve(self) -> None:
        poll = select.poll()
        poll.register(self._frames, select.POLLIN)
        poll.register(self._wake_reading, select.POLLIN)
        control = self._frames.fileno()
        while True:
            for fd, _ in poll.poll(_LOOK_AGAIN_MS if self._leftovers else None):
                if fd == control:
                    for message in self._frames.receive():
                        if isinstance(message, Keep):
                            self._keep()
                        else:
                            self._prepare(message)
                else:
                    self._wake_reading.recv(_CHUNK)
            self._reap()

    def _prepare(self, order: Prepare) -> None:
        error: str | None = None
        for name in order.modules:
            try:
                module = importlib.import_module(name)
                prepare = getattr(module, "prepare", None)
                if prepare is not None:
                    prepare()
                self._confiners[name] = Confiner(module.apply, getattr(module, "Maker", None))
            except Exception as fault:  # noqa: BLE001 - a module may raise anything; the daemon is told
                error = f"{name}: {type(fault).__name__}: {fault}"
        gc.collect()
        gc.freeze()  # a keeper then shares these pages for good
        self._frames.send(Ready(error))

    def _keep(self) -> None:
        (fd,) = self._frames.take_fds(1)
        try:
            pid = os.fork()
        except OSError as error:
            os.close(fd)
            self._frames.send(NotKept(str(error)))
            return
        if pid == 0:
            self._become_keeper(fd)
        os.close(fd)
        self._keepers.add(pid)

    def _become_keeper(self, fd: int) -> NoReturn:
        """Be a keeper, and never return into the loop of this process."""
        status = _FAULT_STATUS
        try:
            signal.set_wakeup_fd(-1)
            self._frames.close()
            self._wake_reading.close()
            self._wake_writing.close()
            os.setsid()
            Keeper(socket.socket(fileno=fd), self._process, self._confiners).main()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it is, it must be seen, and must not reach the code above
            traceback.print_exc()
        finally:
            os._exit(status)

    def _reap(self) -> None:
        while True:
            try:
                pid, _ = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                pid = 0
            if pid == 0:
                break
            self._keepers.discard(pid)
        orphans = [pid for pid in children_of(self._pid) if pid not in self._keepers]
        self._leftovers = bool(orphans)
        end_families(orphans)

    def _wait_for_keepers(self) -> None:
        give_up_at = time.monotonic() + _END_SECONDS
        while time.monotonic() < give_up_at:
            self._reap()
            if not children_of(self._pid):
                return
            select.select([self._wake_reading], [], [], _LOOK_AGAIN_MS / 1000)
        sys.stderr.write(f"netscript-workers: processes {children_of(self._pid)} could not be ended\n")


def _wake_up(_number: int, _frame: FrameType | None) -> None:
    """Do nothing: that there is a handler makes Python write to the wakeup socket."""


def main() -> None:
    """Serve on the control socket named on the command line."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    KeeperSource(control).main()
    os._exit(0)


if __name__ == "__main__":
    main()
