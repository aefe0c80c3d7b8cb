"""Threads for plain functions in the daemon's own process. A thread cannot be ended, so one that does not return is let go of."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Final

Work = Callable[[], None]
_JOIN_SECONDS: Final = 1.0


class HandlerThreads:
    """Runs each piece of work on an idle thread, or a new one when none is; never queues. For one event loop's thread.

    The threads are daemon threads: one that never returns does not keep the process from ending.
    """

    def __init__(self) -> None:
        self._idle: list[HandlerThread] = []
        self._all: set[HandlerThread] = set()

    def start(self, work: Work) -> "HandlerThread":
        """Run `work` (which must not raise) on a thread of its own; give it back with `finished` when it is done."""
        thread = self._idle.pop() if self._idle else self._make()
        thread.work.put(work)
        return thread

    def finished(self, thread: "HandlerThread") -> None:
        """Take back a thread whose work is done."""
        if thread in self._all:
            self._idle.append(thread)

    def abandon(self, thread: "HandlerThread") -> None:
        """Let go of a thread whose work does not end; it ends itself if the work ever returns."""
        self._all.discard(thread)
        thread.work.put(None)

    def stop(self, seconds: float = _JOIN_SECONDS) -> None:
        """End the idle threads. Idempotent."""
        for thread in self._all:
            thread.work.put(None)
        for thread in self._all:
            thread.join(seconds)
        self._all.clear()
        self._idle.clear()

    def _make(self) -> "HandlerThread":
        thread = HandlerThread(name=f"handler {len(self._all) + 1}", daemon=True)
        self._all.add(thread)
        thread.start()
        return thread


class HandlerThread(threading.Thread):
    """Takes work from its queue until it gets None."""

    def __init__(self, *, name: str, daemon: bool) -> None:
        super().__init__(name=name, daemon=daemon)
        self.work: SimpleQueue[Work | None] = SimpleQueue()

    def run(self) -> None:
        """Work."""
        while (work := self.work.get()) is not None:
            work()
