"""Brings what a run reports to the loop's thread, from whatever thread it comes, and stops doing so when the run is over."""

import asyncio
import threading
import time
from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.execution import LogLine, Progress
from netscript_workers.ports.observer import RunObserver

MAX_PENDING: Final = 10_000
_PATIENCE_SECONDS: Final = 1.0
_NAP_SECONDS: Final = 0.001


class LoopObserver:
    """Passes reports on in order; on the loop's own thread at once. A thread that outpaces the loop is slowed down."""

    __slots__ = ("_loop", "_observer", "_pending", "_thread")

    def __init__(self, loop: asyncio.AbstractEventLoop, observer: RunObserver) -> None:
        self._loop = loop
        self._observer: RunObserver | None = observer
        self._thread = threading.get_ident()
        self._pending: list[Progress | Sequence[LogLine]] | None = None

    def progress(self, progress: Progress) -> None:
        """Pass on the progress."""
        self._pass(progress)

    def lines(self, lines: Sequence[LogLine]) -> None:
        """Pass on the lines."""
        self._pass(lines)

    def close(self) -> None:
        """Pass on what is pending; what comes later is dropped."""
        self._flush()
        self._observer = None

    def _pass(self, report: Progress | Sequence[LogLine]) -> None:
        if self._observer is None:
            return
        if threading.get_ident() == self._thread:
            if self._pending:
                self._flush()
            self._deliver(report)
            return
        pending = self._pending
        if pending is None:
            pending = self._pending = []
        pending.append(report)
        if len(pending) == 1:
            self._loop.call_soon_threadsafe(self._flush)
        elif len(pending) > MAX_PENDING:
            self._slow_down()

    def _slow_down(self) -> None:
        give_up_at = time.monotonic() + _PATIENCE_SECONDS
        while (
            self._pending is not None
            and len(self._pending) > MAX_PENDING // 2
            and time.monotonic() < give_up_at
        ):
            time.sleep(_NAP_SECONDS)

    def _flush(self) -> None:
        pending, self._pending = self._pending, None
        for report in pending or ():
            self._deliver(report)

    def _deliver(self, report: Progress | Sequence[LogLine]) -> None:
        if self._observer is None:
            return
        if isinstance(report, Progress):
            self._observer.progress(report)
        else:
            self._observer.lines(report)
