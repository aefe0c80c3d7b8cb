"""The mode `web-worker`: warm slots, isolated processes that are kept between runs."""

import asyncio
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode, Target
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import Turn
from netscript_workers.runners.ahead import IS_SUPPORTED, NotBegunError
from netscript_workers.runners.fork_source import ForkSource
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.slot_runner import SlotRunner

MAX_CHILDREN: Final = 64  # left behind by runs; beyond that a slot is replaced, since they end with it alone


class _UnderWay:
    """A run that this runner was called for: its slot, and what tells its end while it waits in that slot's hands."""

    __slots__ = ("_change", "ended", "slot")

    def __init__(self) -> None:
        self.slot: SlotProcess | None = None
        self.ended: asyncio.Future[Outcome | None] | None = None
        self._change: asyncio.Future[None] | None = None

    async def changed(self) -> None:
        """Wait until it has a slot or is over. At most one waits: the run that follows."""
        self._change = asyncio.get_running_loop().create_future()
        await self._change

    def given(self, slot: SlotProcess, ended: "asyncio.Future[Outcome | None] | None" = None) -> None:
        """Note the slot; `ended` while it waits in that slot's hands."""
        self.slot, self.ended = slot, ended
        self.over()

    def over(self) -> None:
        """Wake the run that follows."""
        if self._change is not None and not self._change.done():
            self._change.set_result(None)


class WarmSlotRunner(SlotRunner):
    """Makes a slot when a run finds none idle, so there are at most as many as runs were asked for at once.

    A slot is replaced after `max_jobs` runs, when it holds more than `max_memory_mb` after a run, when it
    crashed and when a run had to be ended by force. Processes that a run left behind end with the slot.
    """

    mode = RunnerMode.WEB_WORKER

    def __init__(
        self, source: ForkSource, *, max_jobs: int | None = None, max_memory_mb: int | None = None
    ) -> None:
        super().__init__(source, max_memory_mb=max_memory_mb)
        self._max_jobs = max_jobs
        self._chains = max_memory_mb is None  # else a slot must be looked at between two runs
        self._idle: list[SlotProcess] = []
        self._under_way: dict[RunObserver, _UnderWay] = {}

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt in a slot; see the port."""
        run = self._under_way[observer] = _UnderWay()
        try:
            return await self._run_now(run, execution, target, deadline, observer)
        finally:
            self._is_over(observer, run)

    def recycle_after(self, *, max_jobs: int | None, max_memory_mb: int | None) -> None:
        """Replace slots after so many runs, or beyond so much memory, from now on."""
        self._max_jobs = max_jobs
        self._chains = max_memory_mb is None

    @property
    def chains(self) -> bool:
        """Whether slots are handed runs ahead; not where a slot must be looked at between two runs."""
        return IS_SUPPORTED and self._chains

    async def run_after(
        self, leader: RunObserver, execution: Execution, target: Target, observer: RunObserver, turn: Turn
    ) -> Outcome:
        """Run one attempt in the slot of `leader`; see the port."""
        run = self._under_way[observer] = _UnderWay()
        try:
            while (before := self._under_way.get(leader)) is not None and before.slot is None:
                await before.changed()
            slot = self._slot_to_hand_over(leader)
            ended = slot.follow(execution, target, observer, turn.begin) if slot is not None else None
            if slot is not None and ended is not None:
                run.given(slot, ended)
                try:
                    return await self._outcome(slot, ended)
                except NotBegunError:
                    run.slot = run.ended = None
            await turn.wait()
            return await self._run_now(run, execution, target, turn.begin(), observer)
        finally:
            self._is_over(observer, run)

    def withdraw(self, observer: RunObserver) -> bool:
        """Take back a run that has not begun; see the port."""
        run = self._under_way.get(observer)
        if run is None:
            return False
        if run.slot is None:
            return True  # it waits for its turn, or for a slot
        if run.ended is None or run.ended.done() or not run.slot.withdraw(run.ended):
            return False
        run.ended.set_exception(NotBegunError())
        return True

    async def _run_now(
        self, run: _UnderWay, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        slot = await self._slot(self._take)
        run.given(slot)
        return await self._outcome(slot, slot.begin(execution, target.max_attempts, deadline, observer))

    def _slot_to_hand_over(self, leader: RunObserver) -> SlotProcess | None:
        before = self._under_way.get(leader)
        slot = before.slot if before is not None else None
        if slot is None or not self.chains or slot.retired:
            return None
        if self._max_jobs is not None and slot.runs + slot.waiting >= self._max_jobs:
            return None
        return slot

    def _is_over(self, observer: RunObserver, run: _UnderWay) -> None:
        if self._under_way.get(observer) is run:
            del self._under_way[observer]
        run.over()

    def _take(self) -> SlotProcess | None:
        while self._idle:
            slot = self._idle.pop()  # the one used last: its memory is in the caches
            if slot.alive:
                return slot
        return self._source.fork(once=False)

    def _give_up_idle(self) -> list[SlotProcess]:
        idle, self._idle = self._idle, []
        return idle

    async def _after(self, slot: SlotProcess, outcome: Outcome | None) -> None:
        if not slot.alive:
            return
        usage = outcome.usage if outcome else None
        is_worn = self._max_jobs is not None and slot.runs >= self._max_jobs
        if (
            is_worn
            or slot.children > MAX_CHILDREN
            or self._watch.is_above(slot, usage.peak_memory if usage else None)
        ):
            slot.kill()
        else:
            self._idle.append(slot)

    def _slots(self) -> list[SlotProcess]:
        self._idle = [slot for slot in self._idle if slot.alive]
        return [*self._busy, *self._idle]
