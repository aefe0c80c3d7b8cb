"""The schedulers' port over Redis."""

from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.execution import Enqueued
from netscript_workers.engines.redis.queue import RedisQueue, row_of
from netscript_workers.engines.redis.records import base_of, long, pieces
from netscript_workers.ports.promises import DAY_MS
from netscript_workers.ports.schedules import Standing, Tick

_KEPT_MS: Final = 400 * DAY_MS
"""No key stays for ever: so long after the last scheduler has asked, all schedules are new. A yearly one is not forgotten."""


class RedisSchedules(RedisQueue):
    """What a scheduler needs: one hash for all schedules of a queue."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """See `ports.schedules.TickBook`."""
        now, *last = await self._run("standing", (_KEPT_MS, list(targets), list(marks)))
        return Standing(now, dict(zip(targets, last, strict=True)))

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """See `ports.schedules.TickBook`. More than a thousand are given to the server in turn."""
        answers: list[Enqueued | None] = []
        for piece in pieces(ticks, _payload_size):
            if piece:
                answers += await self._enqueue_ticks(piece)
        return answers

    async def _enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        moments = [(tick.target, tick.at) for tick in ticks]
        rows = [row_of(tick.request) for tick in ticks]
        blobs = (base_of(tick.request) for tick in ticks)
        refused = await self._run("enqueue_ticks", (_KEPT_MS, moments, rows), *blobs)
        answers: list[Enqueued | None] = [Enqueued(tick.request.id) for tick in ticks]
        for place, known in zip(refused[::2], refused[1::2], strict=True):
            answers[place - 1] = Enqueued(long(known), deduplicated=True) if known else None
        return answers

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """See `ports.schedules.TickBook`."""
        if targets:
            marks = (f"={target}" for target in targets)
            await self._server.call("HDEL", f"{self._root}:ticks", *targets, *marks)


def _payload_size(tick: Tick) -> int:
    return len(tick.request.payload)
