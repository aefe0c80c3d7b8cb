"""Who printed what, when many runs share one process: stdout and stderr ask the context of the writer."""

import contextlib
import sys
import threading
import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Final, TextIO

from netscript_workers.domain.execution import LogLine
from netscript_workers.ports.observer import RunObserver
from netscript_workers.processes.lines import CUT_MARK
from netscript_workers.runners.slot_output import LEVELS

MAX_LINE_CHARS: Final = 16 * 1024
_DROPPED: Final = "\n (the rest of a line that has been cut)"  # no line can be equal to it


class RunOutput:
    """The output of one run. Lines go to its observer; one left open goes with `finish`. For any thread."""

    __slots__ = ("_lock", "_observer", "_open_lines")

    def __init__(self, observer: RunObserver) -> None:
        self._observer = observer
        self._lock = threading.Lock()
        self._open_lines: dict[str, str] | None = None

    def write(self, stream: str, text: str) -> None:
        """Take a piece of output."""
        with self._lock:
            if self._open_lines is None:
                self._open_lines = {}
            held = self._open_lines.get(stream, "")
            *whole, rest = text.split("\n")
            if whole:
                whole[0] = _DROPPED if held == _DROPPED else held + whole[0]
                held = ""
            lines = [line for line in whole if line != _DROPPED]
            if held != _DROPPED:
                rest = held + rest
                if len(rest) > MAX_LINE_CHARS:
                    lines.append(rest)
                    rest = _DROPPED
                self._open_lines[stream] = rest
            self._report(stream, lines)

    def finish(self) -> None:
        """Hand on lines that were left open."""
        if self._open_lines is None:
            return
        for stream, rest in self._open_lines.items():
            if rest and rest != _DROPPED:
                self._report(stream, [rest])
        self._open_lines = None

    def _report(self, stream: str, lines: Sequence[str]) -> None:
        if not lines:
            return
        now = time.time_ns() // 1_000_000
        level = LEVELS[stream]
        self._observer.lines([LogLine(now, stream, level, _bounded(line)) for line in lines])


class PrintCapture:
    """Stands in for `sys.stdout` and `sys.stderr` between `install` and `remove`.

    A write in the context of a run (`current`) is that run's output; every other write passes through. Costs
    nothing for a run that does not print. Threads that a handler starts by itself carry no context: what they
    print passes through.
    """

    def __init__(self) -> None:
        self.current: ContextVar[RunOutput | None] = ContextVar("current_run_output", default=None)
        self._routers: dict[str, Router] = {}

    def install(self) -> None:
        """Begin. Idempotent."""
        for name in LEVELS:
            if name not in self._routers:
                router = self._routers[name] = Router(getattr(sys, name), name, self.current)
                setattr(sys, name, router)

    def remove(self) -> None:
        """Put back what was there, unless somebody else has put something in our place. Idempotent."""
        for name, router in self._routers.items():
            if getattr(sys, name) is router:
                setattr(sys, name, router.original)
        self._routers.clear()


class Router:
    """A text stream that sends each write to the run it belongs to; in all else it is the `original`."""

    def __init__(self, original: TextIO, name: str, current: ContextVar[RunOutput | None]) -> None:
        self.original = original
        self._name = name
        self._current = current

    def write(self, text: str) -> int:
        """Write text; see the class."""
        output = self._current.get()
        if output is None:
            return self.original.write(text)
        output.write(self._name, text)
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        """Write several pieces of text."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Flush the original."""
        with contextlib.suppress(ValueError):  # closed at the end of the process
            self.original.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.original, name)


def _bounded(line: str) -> str:
    return line if len(line) <= MAX_LINE_CHARS else line[:MAX_LINE_CHARS] + CUT_MARK
