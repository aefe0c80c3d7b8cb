"""The scheduler: wakes when ticks are due and enqueues them, all that are due in one call."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, Protocol

from netscript_workers.domain.execution import Enqueued, NewExecution, TriggeredBy
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.target import Target
from netscript_workers.errors import EngineError
from netscript_workers.ports.schedules import Standing, Tick, TickBook
from netscript_workers.scheduler.timetable import LATE_MS, Due, Timetable, schedules_of

BATCH: Final = 1_000
RESYNC_S: Final = 30.0
LOOK_S: Final = 1.0
_LEAST_WAIT_S: Final = 0.0005
_SLOW_S: Final = 0.1  # an answer that took longer tells the time too vaguely for half a minute
_JUMP_S: Final = 0.25  # between two looks this host's two clocks part by far less, unless one was set
_LAG_WORTH_TELLING_MS: Final = 1_000

log = logging.getLogger("netscript_workers.scheduler")


class Surroundings(Protocol):
    """What a scheduler needs of the daemon around it."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Run `work` as a task whose fault ends the daemon."""
        ...

    async def standing(self, call: Callable[[], Awaitable[Standing]]) -> Standing:
        """Await `call()` again and again while the engine fails."""
        ...

    async def enqueued(
        self, call: Callable[[], Awaitable[list[Enqueued | None]]], give_up: Callable[[], bool]
    ) -> list[Enqueued | None]:
        """Do the same for ticks; `give_up`, asked after each failure, lets its error out."""
        ...

    async def forgotten(self, call: Callable[[], Awaitable[None]]) -> None:
        """Do the same for schedules that are to be forgotten."""
        ...


class Scheduler:
    """Enqueues the ticks of `targets`, exactly once however many schedulers there are (the engine sees to that). A `Service`.

    `observe` is told the lag of each tick this scheduler enqueued, in ms: how long after it was due it stood in the queue.
    """

    name = "scheduler"

    def __init__(
        self,
        book: TickBook,
        targets: Mapping[str, Target],
        around: Surroundings,
        observe: Callable[[Sequence[int]], None] | None = None,
    ) -> None:
        self._book = book
        self._targets = targets
        self._around = around
        self._observe = observe
        self._ids = IdFactory()
        self._table = Timetable()
        self._clock = EngineClock()
        self._changed = asyncio.Event()
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._task: asyncio.Task[None] | None = None
        self._schedules = schedules_of(())
        self.enqueued = 0
        self.worst_lag_ms = 0
        self.last_lag_ms = 0

    async def start(self) -> None:
        """Learn how far the schedules are, catch up, and go on from there."""
        if self._task is None:
            await self._look_up()
            self._task = self._around.spawn(self._work(), self.name)

    async def stop(self, grace_ms: int) -> None:
        """Enqueue nothing more; what is being enqueued is given `grace_ms`."""
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task}, timeout=max(grace_ms / 1000, 0.1))
        if not task.done():
            log.error("the scheduler did not end within %d ms", grace_ms)

    @property
    def schedules(self) -> int:
        """How many schedules it follows."""
        return len(self._table)

    def lag(self) -> float | None:
        """How late the last tick was enqueued, in ms; None when this scheduler has enqueued none."""
        return self.last_lag_ms if self.enqueued else None

    def targets_changed(self) -> None:
        """Look at the targets again, at once."""
        self._changed.set()

    def pause(self) -> None:
        """Enqueue nothing for now; what is missed meanwhile is treated as the `catch_up` of its target says."""
        self._may_run.clear()

    def resume(self) -> None:
        """Enqueue again."""
        self._may_run.set()

    async def interrupt(self) -> None:
        """Do nothing: a scheduler runs nothing that could be interrupted."""

    async def _work(self) -> None:
        while True:
            await self._may_run.wait()
            if self._changed.is_set() or self._clock.is_stale():
                await self._look_up()
            now = self._clock.now()
            batch = self._table.due(now, BATCH)
            self._tell_missed()
            if batch:
                await self._enqueue(batch)
            else:
                self._table.prepare()
                await self._rest(self._clock.now())

    async def _look_up(self) -> None:
        """Ask the engine for its clock and for how far the schedules are."""
        self._changed.clear()
        schedules = schedules_of(self._targets.values())
        await self._forget(tuple(self._schedules.keys() - schedules.keys()))
        self._schedules = schedules
        asked = 0.0

        async def ask() -> Standing:
            # The question that is answered counts: those before it may have failed for a long time.
            nonlocal asked
            asked = time.monotonic()
            return await self._book.standing(tuple(schedules), [one.mark for one in schedules.values()])

        standing = await self._around.standing(ask)
        self._clock.set(standing.now, asked)
        self._table.take(self._schedules, standing.last, standing.now)

    async def _forget(self, gone: tuple[str, ...]) -> None:
        """Tell the engine which schedules were taken away: one that comes back has missed nothing meanwhile."""
        if gone:
            await self._around.forgotten(lambda: self._book.forget_schedules(gone))

    async def _enqueue(self, batch: Sequence[Due]) -> None:
        ids = self._ids.new_many(time.time_ns() // 1_000_000, len(batch))
        ticks = [
            Tick(due.target, due.at, _request(self._targets[due.target], new_id))
            for due, new_id in zip(batch, ids, strict=True)
            if due.target in self._targets
        ]
        began = time.monotonic()

        def is_late() -> bool:
            return time.monotonic() - began > LATE_MS / 1000

        try:
            answers = await self._around.enqueued(
                lambda: self._book.enqueue_ticks(ticks), lambda: is_late() or self._changed.is_set()
            )
        except EngineError:
            # What they are is no longer sure: the targets have changed, or these ticks were missed by now, as all since then.
            if is_late():
                self._table.begin_again({due.target for due in batch})
            else:
                self._table.put_back(batch)
            self._changed.set()
            return
        now = self._clock.now()
        lags = [
            max(0, now - tick.at) for tick, answer in zip(ticks, answers, strict=True) if answer is not None
        ]
        log.debug("enqueued %d of %d ticks that were due", len(lags), len(ticks))
        if lags:
            self.enqueued += len(lags)
            self.last_lag_ms = max(lags)
            self.worst_lag_ms = max(self.worst_lag_ms, self.last_lag_ms)
            if self._observe is not None:
                self._observe(lags)

    def _tell_missed(self) -> None:
        for missed in self._table.missed():
            if missed.target not in self._schedules:
                continue  # taken away since, with its ticks
            what = (
                f"{missed.caught_up} of its missed ticks run now"
                if missed.caught_up
                else "none of its missed ticks is run"
            )
            more = ", older ones are left out" if missed.left_out and missed.caught_up else ""
            catch_up = self._schedules[missed.target].catch_up.value
            log.warning(
                "the schedule of “%s” was missed: %s%s (catch_up = “%s”)", missed.target, what, more, catch_up
            )

    async def _rest(self, now: int) -> None:
        next_at = self._table.next_at
        wait = LOOK_S if next_at is None else min(LOOK_S, max((next_at - now) / 1000, _LEAST_WAIT_S))
        if next_at is None and not self._schedules:
            wait = RESYNC_S
        try:
            async with asyncio.timeout(wait):
                await self._changed.wait()
        except TimeoutError:
            return


class EngineClock:
    """The engine's clock, read from this host's monotonic one between two looks at it. Times are ms since 1970."""

    def __init__(self) -> None:
        self._offset = 0.0
        self._set_at = float("-inf")
        self._drift = 0.0

    def set(self, now: int, asked: float) -> None:
        """Take `now` as the time at the middle of a question that was `asked` at that monotonic time (s) and is answered now.

        If that took long, it was at some moment of it: what is known already is kept where it fits, else it is taken for the last
        one, for a tick may come late but never before its time; and the clock is stale again after a second.
        """
        answered, jumped = time.monotonic(), self._has_jumped()
        earliest, latest = now / 1000 - answered, now / 1000 - asked
        slow = answered - asked > _SLOW_S
        if not slow:
            self._offset = (earliest + latest) / 2
        elif jumped or not earliest <= self._offset <= latest:
            self._offset = earliest
        self._set_at = answered - RESYNC_S + LOOK_S if slow else answered
        self._drift = time.time() - answered

    def now(self) -> int:
        """Return the time."""
        return int((time.monotonic() + self._offset) * 1000)

    def is_stale(self) -> bool:
        """Tell whether to look again: it was long ago, or this host's clock was set (as the engine's may have been with it)."""
        return time.monotonic() - self._set_at > RESYNC_S or self._has_jumped()

    def _has_jumped(self) -> bool:
        return abs(time.time() - time.monotonic() - self._drift) > _JUMP_S


def _request(target: Target, new_id: str) -> NewExecution:
    return NewExecution(
        id=new_id,
        concept=target.concept,
        target=target.id,
        topic=target.topic,
        priority=target.priority,
        max_attempts=target.max_attempts,
        triggered_by=TriggeredBy.CRON,
    )
