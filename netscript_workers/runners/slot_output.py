"""One pipe of a slot, stdout or stderr, read by the daemon line by line."""

import asyncio
import os
import select
import time
from collections.abc import Callable
from typing import Final

from netscript_workers.domain.execution import LogLine
from netscript_workers.ports.observer import RunObserver
from netscript_workers.processes.lines import LineSplitter

CHUNK: Final = 65_536
_DRAIN_READS: Final = (
    32  # more than a pipe holds: a process that never stops printing must not hold up the end of its run
)
LEVELS: Final = {"stdout": "info", "stderr": "warning"}


class OutputPipe:
    """Reads `fd` (owned) as it fills; each line goes to the observer of the run under way, and nowhere when there is none."""

    __slots__ = ("_first", "_loop", "_on_read", "_splitter", "_stream", "fd", "observer")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        fd: int,
        stream: str,
        first: Callable[[], None],
        on_read: Callable[[int], None],
    ) -> None:
        self._loop = loop
        self._on_read = on_read
        self._first = first
        self._stream = stream
        self._splitter = LineSplitter()
        self.fd = fd
        self.observer: RunObserver | None = None
        os.set_blocking(fd, False)
        loop.add_reader(fd, self._on_readable)

    def _on_readable(self) -> None:
        self._first()
        self.read()

    def read(self) -> bool:
        """Read once and hand on the lines; False when there is nothing to read now or ever again."""
        if self.fd < 0:
            return False
        try:
            data = os.read(self.fd, CHUNK)
        except BlockingIOError:
            return False
        if not data:
            self.close()
            return False
        if self.observer is not None:
            self._on_read(len(data))
            self._report(self._splitter.feed(data))
        return True

    def drain(self) -> None:
        """Hand on what the pipe holds now."""
        for _ in range(_DRAIN_READS):
            if not self.read():
                return

    def end_line(self) -> None:
        """Hand on a last line left open, and let go of the observer."""
        if self.observer is not None:
            self._report(self._splitter.finish())
            self.observer = None

    def close(self) -> None:
        """Stop reading. Idempotent."""
        if self.fd >= 0:
            self._loop.remove_reader(self.fd)
            os.close(self.fd)
            self.fd = -1

    def _report(self, lines: list[str]) -> None:
        if lines and self.observer is not None:
            now = time.time_ns() // 1_000_000
            level = LEVELS[self._stream]
            self.observer.lines([LogLine(now, self._stream, level, line) for line in lines])


class SlotOutputs:
    """Both pipes of a slot, and those of earlier runs that processes left behind still write to.

    `first` is called before output that has just come is read: it takes in the ends of runs that had been told before that came.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, stdout: int, stderr: int, first: Callable[[], None]
    ) -> None:
        self._loop = loop
        self._first = first
        self._left: int | None = None
        self._on_excess: Callable[[], None] | None = None
        self.is_excessive = False
        self._old: list[OutputPipe] = []
        self._pipes = self._both(stdout, stderr)
        self._watch()

    def limit(self, size: int, on_excess: Callable[[], None]) -> None:
        """Call `on_excess` once the pipes have brought more than `size` bytes; `is_excessive` tells of it from then on."""
        self._left, self._on_excess = size, on_excess

    def begin_run(self, observer: RunObserver) -> None:
        """Give the lines from here on to `observer`; what came before it is dropped."""
        if self._poll.poll(0):
            self._drain()
        for pipe in self._pipes:
            pipe.observer = observer

    def finish_run(self) -> None:
        """Give the last lines of the run to its observer. One system call when nothing was printed."""
        if self._poll.poll(0):
            self._drain()
        for pipe in self._pipes:
            pipe.end_line()

    def end_run(self) -> None:
        """End the run like `finish_run` when nothing of it is left in the pipes."""
        for pipe in self._pipes:
            pipe.end_line()

    def pass_on(self, observer: RunObserver) -> None:
        """End the run like `end_run`, and give what comes from here on to `observer`."""
        for pipe in self._pipes:
            pipe.end_line()
            pipe.observer = observer

    def replace(self, stdout: int, stderr: int) -> None:
        """Read new pipes from here on; the old ones are read and dropped until nobody holds them."""
        self._old = [pipe for pipe in (*self._old, *self._pipes) if pipe.fd >= 0]
        self._pipes = self._both(stdout, stderr)
        self._watch()

    def close(self) -> None:
        """Close all pipes. Idempotent."""
        for pipe in (*self._pipes, *self._old):
            pipe.close()
        self._old = []
        self._watch()

    def _drain(self) -> None:
        for pipe in self._pipes:
            pipe.drain()
        self._watch()

    def _watch(self) -> None:
        self._poll = select.poll()
        for pipe in self._pipes:
            if pipe.fd >= 0:
                self._poll.register(pipe.fd, select.POLLIN)

    def _both(self, stdout: int, stderr: int) -> tuple[OutputPipe, OutputPipe]:
        out = OutputPipe(self._loop, stdout, "stdout", self._first, self._count)
        return out, OutputPipe(self._loop, stderr, "stderr", self._first, self._count)

    def _count(self, size: int) -> None:
        if self._left is None:
            return
        self._left -= size
        if self._left < 0 and self._on_excess is not None and not self.is_excessive:
            self.is_excessive = True
            self._on_excess()
