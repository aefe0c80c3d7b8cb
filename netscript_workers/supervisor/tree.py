"""`workers run`: a supervisor of child processes. Started in order, stopped in reverse, kept running in between.

It holds no queue and imports no job: what can go wrong goes wrong in a child. Signals are passed on; a child that hangs is ended;
children end with their supervisor, however it ends (`supervisor/link.py`).
"""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

import msgspec

from netscript_workers.supervisor.children import CHECK_S, ChildSpec
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


class Plan(msgspec.Struct, frozen=True):
    """What a configuration asks for: children in the order of their start, how to make a place for one, how long to drain (s)."""

    specs: tuple[ChildSpec, ...]
    make: Callable[[ChildSpec], Kept]
    drain_s: float


class Supervisor:
    """Runs once. `kept` are its places in the order of their start; `drain_s` is how long children may drain.

    `until_drained` true: the tree ends when every place but the `attendants` (by name) is done. `replan` reads the configuration
    anew, for SIGHUP; without it every child is told, and nothing else.
    """

    def __init__(
        self,
        kept: Sequence[Kept],
        notices: Notices,
        *,
        drain_s: float,
        until_drained: bool = False,
        attendants: frozenset[str] = frozenset(),
        replan: Callable[[], Plan | None] = lambda: None,
    ) -> None:
        """Start nothing yet."""
        self._kept = list(kept)
        self._notices = notices
        self._drain_s = drain_s
        self._until_drained = until_drained
        self._attendants = attendants
        self._replan = replan
        self._reload: asyncio.Task[None] | None = None
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
            if self._reload is not None:
                self._reload.cancel()
                await asyncio.wait({self._reload})
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
        """Wait for the word to stop."""
        while (word := await self._signals.words.get()) is not Word.STOP:
            log.info("%s: not while starting", _PASSED_ON[word])

    # ------------------------------------------------------------------ while it works

    async def _until_told(self) -> int:
        loop = asyncio.get_running_loop()
        word = loop.create_task(self._signals.words.get(), name="signal watch")
        try:
            while True:
                await asyncio.wait({*self._tasks, word}, return_when=asyncio.FIRST_COMPLETED)
                if word.done():
                    if word.result() is Word.STOP:
                        return 0
                    self._pass_on(word.result())
                    word = loop.create_task(self._signals.words.get(), name="signal watch")
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

    def _pass_on(self, word: Word) -> None:
        log.info("%s: passed on to %d processes", _PASSED_ON[word], len(self._tasks))
        if word is Word.RELOAD:
            self._notices.reloading()
            self._take_over(self._replan())
            if self._reload is None or self._reload.done():
                self._reload = asyncio.get_running_loop().create_task(self._reloaded(), name="reload")
            return
        if word is not Word.REPORT:
            self._phase = "paused" if word is Word.PAUSE else "running"
        self._signal_all(signal.Signals[_PASSED_ON[word]])

    def _take_over(self, plan: Plan | None) -> None:
        """Tell every child to reload; start what is new, stop what is gone, start again what has another command now."""
        specs = {spec.name: spec for spec in plan.specs} if plan is not None else None
        for kept in list(self._tasks.values()):
            spec = kept.spec if specs is None else specs.pop(kept.spec.name, None)
            if spec is None:
                log.info("%s is not in the configuration any more; it drains and ends", kept.spec.name)
                self._kept.remove(kept)
                kept.stop()
                continue
            changed = spec.argv != kept.spec.argv
            kept.spec = spec
            if changed:
                log.info("%s has other topics or options now; it drains and is started again", spec.name)
            kept.tell(signal.SIGTERM if changed else signal.SIGHUP)
        if plan is None or specs is None:
            return
        self._drain_s = plan.drain_s
        for spec in specs.values():
            log.info("%s is new in the configuration", spec.name)
            kept = plan.make(spec)
            kept.first_up.set()  # should it not come up, the others go on
            self._kept.append(kept)
            self._tasks[asyncio.get_running_loop().create_task(kept.keep(), name=spec.name)] = kept

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
            kept.is_paused = self._phase == "paused"
            kept.tell(number)

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
                        for kept in reversed(list(self._tasks.values())):
                            # A second SIGTERM might be merged with one that is not delivered yet.
                            kept.stop(signal.SIGINT)
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
