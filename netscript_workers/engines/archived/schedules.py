"""The schedulers' port over the pair: all of it is the live engine's, for the id of a tick's execution rests nowhere."""

from collections.abc import Sequence

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.archived.pair import Pair
from netscript_workers.ports.schedules import Standing, Tick


class ArchivedSchedules(Pair):
    """What a scheduler needs."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`."""
        return await self._live.standing(targets, marks)

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`."""
        return await self._live.enqueue_ticks(ticks)

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        await self._live.forget_schedules(targets)
