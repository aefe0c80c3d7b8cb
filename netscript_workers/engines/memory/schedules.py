"""The schedulers' port, in memory."""

from collections.abc import Sequence

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.memory.queue import MemoryQueue
from netscript_workers.ports.schedules import Standing, Tick


class MemorySchedules(MemoryQueue):
    """What a scheduler needs, over a `Store`."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`."""
        now, last, noted = self._store.wall_ms(), self._store.last_ticks, self._store.marks
        for target, mark in zip(targets, marks, strict=bool(marks)):
            if target in noted and noted[target] != mark:
                last[target] = max(last[target], now)
            noted[target] = mark
        return Standing(now, {target: last.setdefault(target, now) for target in targets})

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`."""
        answers = [self._enqueue_tick(tick) for tick in ticks]
        if any(answers):
            self._store.work.ring()
        return answers

    def _enqueue_tick(self, tick: Tick) -> Enqueued | None:
        last = self._store.last_ticks.get(tick.target)
        if last is None or tick.at <= last:
            return None
        self._store.last_ticks[tick.target] = tick.at
        return self._enqueue(tick.request)

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        for target in targets:
            self._store.last_ticks.pop(target, None)
            self._store.marks.pop(target, None)
