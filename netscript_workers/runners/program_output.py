"""What a program says: lines with levels, progress, and the result on its last line (SPEC section 8)."""

import asyncio
import re
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

import msgspec

from netscript_workers.domain.execution import LogLine, Progress
from netscript_workers.ports.observer import RunObserver
from netscript_workers.processes.capture import Capture
from netscript_workers.processes.lines import LineSplitter

MAX_RESULT_BYTES: Final = 1_048_576
MAX_LINES_AT_ONCE: Final = 1_000  # as many as anybody keeps of a run
_MOMENT_S: Final = 0.05
_PIECES_GATHERED: Final = 4
_RECENT: Final = 40
LEVELS: Final = {"stdout": "info", "stderr": "warning"}
_MARK: Final = "::progress "
_PROGRESS: Final = re.compile(r"::progress +(\d{1,3}(?:\.\d+)?)(?: +(.*))?")
_FULL: Final = 100.0
_json_object: Final = msgspec.json.Decoder(dict[str, Any]).decode


class ProgramOutput:
    """Reads both pipes (owned) of one program and tells `observer` what comes.

    Beyond `limit` bytes in all, `on_excess` is called once; what comes is read on.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        stdout: int,
        stderr: int,
        observer: RunObserver,
        *,
        limit: int | None = None,
        on_excess: Callable[[], None] | None = None,
    ) -> None:
        self._observer = observer
        self._left = limit
        self._on_excess = on_excess
        self._last = LastLine()
        self._out = _Stream(loop, "stdout", observer)
        self._err = _Stream(loop, "stderr", observer)
        self._captures = (
            Capture(loop, stdout, self._take_out),
            Capture(loop, stderr, self._take_err),
        )

    def finish(self) -> None:
        """Take what is left in the pipes, hand on lines left open, and close."""
        for capture in self._captures:
            capture.finish()
        self._out.finish()
        self._err.finish()

    def close(self) -> None:
        """Close the pipes, whatever is in them. Idempotent."""
        for capture in self._captures:
            capture.close()
        self._out.close()
        self._err.close()

    def result(self) -> bytes | None:
        """Return the last line of stdout when it is one JSON object, else None."""
        line = self._last.line()
        if not line.startswith(b"{"):
            return None
        try:
            _json_object(line)
        except msgspec.DecodeError:
            return None
        return line

    @property
    def result_was_too_long(self) -> bool:
        """Whether the last line began like an object and was over the bound."""
        return self._last.too_long

    @property
    def last_words(self) -> str:
        """The last line of stderr that is not blank, for the error of a run; empty without one."""
        return self._err.last

    @property
    def is_excessive(self) -> bool:
        """Whether the program has written more than it may."""
        return self._left is not None and self._left < 0

    @property
    def last_errors(self) -> list[str]:
        """The last lines of stderr."""
        return list(self._err.recent)

    def _take_out(self, data: bytes) -> None:
        self._last.feed(data)
        self._out.take(data)
        self._count(data)

    def _take_err(self, data: bytes) -> None:
        self._err.take(data)
        self._count(data)

    def _count(self, data: bytes) -> None:
        if self._left is None or self._left < 0:
            return
        self._left -= len(data)
        if self._left < 0 and self._on_excess is not None:
            self._on_excess()


class _Stream:
    """Cuts one stream into lines; keeps the last one that is not blank.

    In a flood, what comes within a moment is gathered and only its end is cut into lines: nobody keeps more of a run.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str, observer: RunObserver) -> None:
        self._loop = loop
        self._name = name
        self._level = LEVELS[name]
        self._observer = observer
        self._splitter = LineSplitter()
        self._budget = MAX_LINES_AT_ONCE
        self._timer: asyncio.TimerHandle | None = None
        self._gathered: deque[bytes] = deque()
        self._lost = 0
        self._is_amid = False  # something was dropped, so the rest of its line is dropped too
        self.last = ""
        self.recent: deque[str] = deque(maxlen=_RECENT)

    def take(self, data: bytes) -> None:
        if self._timer is None:
            self._feed(data)
            if self._budget <= 0:
                self._timer = self._loop.call_later(_MOMENT_S, self._on_moment)
            return
        self._gathered.append(data)
        if len(self._gathered) > _PIECES_GATHERED:
            self._drop(self._gathered.popleft())

    def finish(self) -> None:
        self.close()
        self._feed_gathered()
        self._report(self._splitter.finish())

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _on_moment(self) -> None:
        self._timer = None
        self._budget = MAX_LINES_AT_ONCE
        if self._gathered:
            self._feed_gathered()
            self._timer = self._loop.call_later(_MOMENT_S, self._on_moment)

    def _feed_gathered(self) -> None:
        data = b"".join(self._gathered)
        self._gathered.clear()
        self._feed(data)

    def _drop(self, data: bytes) -> None:
        self._splitter.finish()
        self._is_amid = True
        self._lost += data.count(b"\n")
        self._note_progress(data)

    def _feed(self, data: bytes) -> None:
        if self._is_amid:
            _, newline, data = data.partition(b"\n")
            self._is_amid = not newline
            self._lost += bool(newline)
        excess = data.count(b"\n") - MAX_LINES_AT_ONCE
        if excess > 0:
            before = len(data) - len(data.rsplit(b"\n", MAX_LINES_AT_ONCE + 1)[0]) - 1
            self._splitter.finish()
            self._note_progress(data[:-before])
            self._lost += excess
            data = data[-before:]
        lines = self._splitter.feed(data)
        self._budget -= len(lines)
        self._report(lines)

    def _report(self, lines: list[str]) -> None:
        plain = [line for line in lines if not (line.startswith(_MARK) and self._is_progress(line))]
        if not plain:
            return
        self.last = next((line for line in reversed(plain) if line.strip()), self.last)
        self.recent.extend(plain[-_RECENT:])
        now = time.time_ns() // 1_000_000
        if self._lost:
            plain = [f"[{self._lost} lines before this are not kept]", *plain]
            self._lost = 0
        self._observer.lines([LogLine(now, self._name, self._level, line) for line in plain])

    def _note_progress(self, data: bytes) -> None:
        """Report the last progress in a part of which no line is kept."""
        start = data.rfind(b"\n" + _MARK.encode())
        if start >= 0:
            line = data[start + 1 :].partition(b"\n")[0]
            self._is_progress(line.decode("utf-8", "replace").removesuffix("\r"))

    def _is_progress(self, line: str) -> bool:
        found = _PROGRESS.fullmatch(line)
        if found is None or float(found[1]) > _FULL:
            return False
        self._observer.progress(Progress(float(found[1]), found[2] or None))
        return True


class LastLine:
    """Keeps the last line of a stream that is neither blank nor progress, as bytes, whole up to a bound."""

    def __init__(self, limit: int = MAX_RESULT_BYTES) -> None:
        self._limit = limit
        self._complete = b""
        self._open = bytearray()
        self._open_is_cut = False
        self._is_cut = False

    @property
    def too_long(self) -> bool:
        """Whether the last line began like a JSON object and did not fit."""
        self.line()
        return self._is_cut and self._complete.startswith(b"{")

    def feed(self, data: bytes) -> None:
        """Take the next piece."""
        end = data.rfind(b"\n")
        if end < 0:
            self._hold(data)
            return
        self._close(data[:end])
        self._hold(data[end + 1 :])

    def line(self) -> bytes:
        """Return the last line so far, also one without an end; empty when there is none, or it was cut."""
        if self._open:
            self._close(b"")
        return b"" if self._is_cut else self._complete

    def _hold(self, piece: bytes) -> None:
        room = self._limit - len(self._open)
        self._open += piece[:room]
        self._open_is_cut = self._open_is_cut or len(piece) > room

    def _close(self, lines: bytes) -> None:
        """End the open line with the first of `lines`; what comes last and counts is kept."""
        rest = lines
        while rest:
            rest, newline, line = rest.rpartition(b"\n")
            if not newline:
                self._hold(line)
                break
            if _counts(line):
                self._keep(line.strip(), cut=len(line) > self._limit)
                self._open.clear()
                self._open_is_cut = False
                return
        if _counts(self._open):
            self._keep(bytes(self._open).strip(), cut=self._open_is_cut)
        self._open.clear()
        self._open_is_cut = False

    def _keep(self, line: bytes, *, cut: bool) -> None:
        self._complete = line[: self._limit]
        self._is_cut = cut


def _counts(line: bytes | bytearray) -> bool:
    return bool(line.strip()) and not line.startswith(_MARK.encode())
