"""`workers run`: a supervisor of child processes. Started in order, stopped in reverse, kept running in between.

It holds no queue and imports no job: what can go wrong goes wrong in a child. Signals are passed on; a child that hangs is ended;
children end with their supervisor, however it ends (`supervisor/link.py`).
"""

import asyncio
import logging
import signal
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from netscript_workers.supervisor.children import CHECK_S
from netscript_workers.supervisor.keeping import Kept
from netscript_workers.supervisor.notices import Notices
from netscript_workers.supervisor.signals import Signals, Word

_AFTER_DRAIN_S: Final = 30.0  # beyond the drain: children interrupt what still runs and stop their parts
_KILL_S: Final = 5.0
_RELOAD_S: Final = 60.0
_PASSED_ON: Final = {
    Word.PAUSE: "SIGTSTP",
    Word.RESUME: "SIGCONT",
    Word.REPORT: "SIGUSR1",
    Word.RELOAD: "SIGHUP",
}

log = logging.getLogger("netscript_workers.supervisor")


class Supervisor:
    """Runs once. `kept` are its places in the order of their start; `drain_s` is how long children may drain.

    `until_drained` true: the tree ends when every place but the `attendants` (by name) is done.
    """

    def __init__(
        self,
        kept: Sequence[Kept],
        notices: Notices,
        *,
        drain_s: float,
        until_drained: bool = False,
        attendants: frozenset[str] = frozenset(),
    ) -> None:
        """Start nothing yet."""
        self._kept = list(kept)
        self._notices = notices
        self._drain_s = drain_s
        self._until_drained = until_drained
        self._attendants = attendants
        self._signals = Signals()
        self._tasks: dict[asyncio.Task[int], Kept] = {}
        self._phase = "starting"
        notices.describe(self._state, self._silence)

    async def run(self) -> int:
        """Keep the tree until told to stop; the exit status: 0, or that of a child that could not be started or kept."""
        self._signals.install()
        self._notices.begin(partial(self._signals.words.put_nowait, Word.STOP))
        try:
            status = await self._start_in_order()
            if status is None:
                self._phase = "running"
                self._notices.ready()
                log.info("all %d processes are up", len(self._kept))
                status = await self._until_told()
            await self._stop_in_reverse()
            return status
        finally:
            await self._kill_what_is_left()
            await self._notices.end()
            self._signals.remove()

    # ------------------------------------------------------------------ the start

    async def _start_in_order(self) -> int | None:
        """Start each child when the one before it is up; the status to end with when one cannot or we must stop, else None."""
        loop = asyncio.get_running_loop()
        word = loop.create_task(self._told(), name="signal watch")
        try:
            for kept in self._kept:
                task = loop.create_task(kept.keep(), name=kept.spec.name)
                self._tasks[task] = kept
                up = loop.create_task(kept.first_up.wait(), name=f"{kept.spec.name} up")
                try:
                    await asyncio.wait({*self._tasks, up, word}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    up.cancel()
                    await asyncio.wait({up})
                if word.done():
                    log.info("told to stop while starting")
                    return 0
                if failed := [one.result() for one in self._tasks if one.done() and one.result() != 0]:
                    return failed[0]
            return None
        finally:
            word.cancel()
            await asyncio.wait({word})

    async def _told(self) -> None:
        """Wait for the word to stop, passing on the others."""
        while (word := await self._signals.words.get()) is not Word.STOP:
            await self._pass_on(word)

    # ------------------------------------------------------------------ while it works

    async def _until_told(self) -> int:
        loop = asyncio.get_running_loop()
        word = loop.create_task(self._told(), name="signal watch")
        try:
            while True:
                await asyncio.wait({*self._tasks, word}, return_when=asyncio.FIRST_COMPLETED)
                if word.done():
                    return 0
                for task in [one for one in self._tasks if one.done()]:
                    del self._tasks[task]
                    if (status := task.result()) != 0:
                        return status
                if self._until_drained and all(
                    one.spec.name in self._attendants for one in self._tasks.values()
                ):
                    log.info("the queue is empty; done")
                    return 0
        finally:
            word.cancel()
            await asyncio.wait({word})

    async def _pass_on(self, word: Word) -> None:
        log.info("%s: passed on to %d processes", _PASSED_ON[word], len(self._tasks))
        if word is Word.RELOAD:
            self._notices.reloading()
        self._signal_all(signal.Signals[_PASSED_ON[word]])
        if word is Word.PAUSE:
            self._phase = "paused"
        elif word is Word.RESUME:
            self._phase = "running"
        elif word is Word.RELOAD:
            await self._reloaded()

    async def _reloaded(self) -> None:
        """Say that the reload is over once no child is in the midst of one."""
        give_up_at = time.monotonic() + _RELOAD_S
        while time.monotonic() < give_up_at:
            await asyncio.sleep(CHECK_S)
            if not any(kept.child is not None and kept.child.reloading for kept in self._kept):
                break
        self._notices.ready()

    def _signal_all(self, number: signal.Signals) -> None:
        for kept in self._tasks.values():
            if kept.child is not None:
                kept.child.signal(number)

    # ------------------------------------------------------------------ the end

    async def _stop_in_reverse(self) -> None:
        """Tell all to stop, the last started first, with one deadline for all; a second TERM or INT is passed on, once."""
        self._phase = "stopping"
        self._notices.stopping(self._drain_s + _AFTER_DRAIN_S)
        loop = asyncio.get_running_loop()
        for kept in reversed(self._kept):
            kept.stop()
        deadline = time.monotonic() + self._drain_s + _AFTER_DRAIN_S
        word = loop.create_task(self._signals.words.get(), name="signal watch")
        hurried = False
        try:
            while left := {task for task in self._tasks if not task.done()}:
                seconds = deadline - time.monotonic()
                if seconds <= 0:
                    return
                await asyncio.wait({*left, word}, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
                if word.done():
                    if word.result() is Word.STOP and not hurried:
                        hurried = True
                        log.warning("told to stop again: every process interrupts what still runs")
                        deadline = min(deadline, time.monotonic() + _AFTER_DRAIN_S)
                        for kept in reversed(self._kept):
                            kept.stop(
                                signal.SIGINT
                            )  # a second SIGTERM might be merged with one not yet delivered
                    word = loop.create_task(self._signals.words.get(), name="signal watch")
        finally:
            word.cancel()
            await asyncio.wait({word})

    async def _kill_what_is_left(self) -> None:
        left = {task: kept for task, kept in self._tasks.items() if not task.done()}
        for kept in left.values():
            log.error("%s has not ended in time; it is killed", kept.spec.name)
            kept.stop(signal.SIGKILL)
        if left:
            await asyncio.wait(left, timeout=_KILL_S)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=_KILL_S)

    # ------------------------------------------------------------------ what it says of itself

    def _state(self) -> str:
        return f"{self._phase}: " + "; ".join(kept.said for kept in self._kept)

    def _silence(self) -> float:
        """Endless while a child is overdue, so that systemd gets no sign of life for a tree that cannot be mended from here."""
        overdue = any(kept.child is not None and kept.child.is_overdue for kept in self._tasks.values())
        return float("inf") if overdue else 0.0
