"""One child process of a supervisor: started, listened to, told, and ended whatever it does."""

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import msgspec

from netscript_workers.processes.capture import Capture
from netscript_workers.processes.ending import ending_in_words
from netscript_workers.processes.lines import LineSplitter
from netscript_workers.supervisor.link import Place
from netscript_workers.supervisor.merging import LINE_BYTES

CHECK_S: Final = 1.0
_POLL_S: Final = 0.01
_LAST_WORDS_S: Final = 3.0  # between SIGABRT, on which a hung child says where it is, and SIGKILL
_CLOSED_S: Final = 30.0  # a child that closed its link has so long to end

log = logging.getLogger("netscript_workers.supervisor")


class ChildSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A child to keep: `name` in logs, its `argv` and `environ`, and the bounds (s) on its start and on its silence."""

    name: str
    argv: tuple[str, ...]
    environ: Mapping[str, str]
    boot_s: float
    hang_s: float


class Child:
    """One process of a spec. `say` gets each line that it prints, with the stream's name."""

    def __init__(self, spec: ChildSpec, say: Callable[[str, str], None]) -> None:
        """Start nothing yet."""
        self.spec = spec
        self.up = asyncio.Event()
        self.status = "starting"
        self.reloading = False
        self.silent_s = 0.0
        self.started_at = time.monotonic()
        self._say = say
        self._closed = asyncio.Event()
        self._heard = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._link: socket.socket | None = None
        self._outputs: list[tuple[Capture, LineSplitter, str]] = []

    @property
    def pid(self) -> int:
        """The process id; 0 before `start`."""
        return self._process.pid if self._process is not None else 0

    @property
    def is_overdue(self) -> bool:
        """Whether it has given no sign of life for longer than it may."""
        return self.silent_s >= (self.spec.hang_s if self.up.is_set() else self.spec.boot_s)

    def start(self, supervisor: str, restarts: int) -> None:
        """Start the process, in a session of its own: the terminal's Ctrl-C goes to the supervisor alone. Raises `OSError`."""
        ours, theirs = socket.socketpair()
        out_read, out_write = os.pipe()
        err_read, err_write = os.pipe()
        place = Place(theirs.fileno(), supervisor, os.getpid(), restarts, self.spec.hang_s)
        try:
            self._process = subprocess.Popen(
                self.spec.argv,
                stdin=subprocess.DEVNULL,
                stdout=out_write,
                stderr=err_write,
                env={**self.spec.environ, **place.in_environment()},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        except BaseException:
            ours.close()
            os.close(out_read)
            os.close(err_read)
            raise
        finally:
            theirs.close()
            os.close(out_write)
            os.close(err_write)
        loop = asyncio.get_running_loop()
        ours.settimeout(0)
        self._link = ours
        loop.add_reader(ours, self._hear)
        for fd, stream in ((out_read, "stdout"), (err_read, "stderr")):
            os.set_blocking(fd, False)
            splitter = LineSplitter(LINE_BYTES)
            self._outputs.append(
                (Capture(loop, fd, partial(self._print, splitter, stream)), splitter, stream)
            )

    async def ended(self) -> int:
        """Wait for the end and return the exit status, or minus the signal's number; ends it when it hangs. Call it once."""
        process = self._process
        if process is None:
            raise AssertionError("waited for before it was started")
        try:
            while (code := process.poll()) is None:
                try:
                    async with asyncio.timeout(CHECK_S):
                        await self._closed.wait()
                except TimeoutError:
                    self._check()
                else:
                    await self._reap(process)
            return code
        finally:
            self._let_go()

    def signal(self, number: int) -> None:
        """Send a signal; one that has just ended is no error."""
        process = self._process
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                process.send_signal(number)

    def _check(self) -> None:
        """Count the silence by our own looks, not by the clock: when this process or the host stood still, the child did too."""
        overdue_s = self.spec.hang_s if self.up.is_set() else self.spec.boot_s
        before, self.silent_s = self.silent_s, self.silent_s + CHECK_S
        if before < overdue_s <= self.silent_s:
            what = "gave no sign of life" if self.up.is_set() else "did not come up"
            log.error(
                "%s (process %d) %s for %.0f s: its event loop or its claim loop hangs; it is ended, and says below where it was",
                self.spec.name,
                self.pid,
                what,
                self.silent_s,
            )
            self.signal(signal.SIGABRT)
            self.signal(signal.SIGCONT)  # a stopped process takes no signal but SIGKILL
        elif self.silent_s >= overdue_s + _LAST_WORDS_S:
            self.signal(signal.SIGKILL)

    async def _reap(self, process: "subprocess.Popen[bytes]") -> None:
        """Wait for a process whose link is closed: it is ending; killed when that takes too long."""
        give_up_at = time.monotonic() + _CLOSED_S
        while process.poll() is None:
            if time.monotonic() > give_up_at:
                self.signal(signal.SIGKILL)
            await asyncio.sleep(_POLL_S)

    # ------------------------------------------------------------------ what it says

    def _hear(self) -> None:
        if self._link is None:
            return
        try:
            data = self._link.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._link)
            self._closed.set()
            return
        *fields, self._heard = (self._heard + data).split(b"\n")
        for field in fields:
            self._take(*field.decode(errors="replace").partition("=")[::2])

    def _take(self, name: str, value: str) -> None:
        if name == "READY":
            self.reloading = False
            self.up.set()
        elif name == "STATUS":
            self.status = value
        elif name == "RELOADING":
            self.reloading = True
        if self.up.is_set():  # before that it has a bound that no sign of life moves
            self.silent_s = 0.0

    def _print(self, splitter: LineSplitter, stream: str, data: bytes) -> None:
        for line in splitter.feed(data):
            self._say(stream, line)

    def _let_go(self) -> None:
        for capture, splitter, stream in self._outputs:
            capture.finish()
            for line in splitter.finish():
                self._say(stream, line)
        self._outputs.clear()
        self.silent_s = 0.0
        link, self._link = self._link, None
        if link is not None:
            asyncio.get_running_loop().remove_reader(link)
            link.close()


def told_ending(child: Child, code: int) -> str:
    """Say how a child ended."""
    return f"{child.spec.name} (process {child.pid}) {ending_in_words(code)}"
