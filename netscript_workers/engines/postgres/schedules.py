"""The schedulers' port over PostgreSQL."""

from collections.abc import Sequence

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.postgres import enqueuing
from netscript_workers.engines.postgres.arrays import ints, texts
from netscript_workers.engines.postgres.queue import PostgresQueue
from netscript_workers.engines.postgres.rows import writable
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.ports.schedules import Standing, Tick


class PostgresSchedules(PostgresQueue):
    """What a scheduler needs."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`."""
        ((now, last),) = await self._connections.run(
            statement("standing"),
            self._number,
            _names(targets),
            _names(marks or [""] * len(targets)),
            self._now(),
        )
        return Standing(now, dict(zip(targets, last, strict=True)))

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`."""
        if not ticks:
            return []
        requests = [tick.request for tick in ticks]
        queue, *rest = enqueuing.parameters(self._number, requests, self._now())
        names, moments = _names([tick.target for tick in ticks]), ints([tick.at for tick in ticks])
        rows = await self._connections.run(statement("enqueue_ticks"), queue, names, moments, *rest)
        answers: list[Enqueued | None] = [Enqueued(new.id) for new in requests]
        for place, holder in rows:
            answers[place - 1] = None if holder is None else Enqueued(holder, deduplicated=True)
        return answers

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        await self._connections.run(statement("forget_schedules"), self._number, _names(targets))


def _names(targets: Sequence[str]) -> str | None:
    return texts([writable(target) for target in targets]) if targets else "{}"
