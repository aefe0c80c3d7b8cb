"""How far the schedules are: what any number of schedulers need of an engine so that each tick is enqueued exactly once.

Neither an idempotency key nor an execution's id can tell that a tick has had its run: a failed execution frees its key, and a
purged or swept one is gone with its id. So the engine keeps one moment for each schedule, the latest tick that was enqueued, and
moves it in the same transaction. It only ever moves forward, whatever the clocks do, and nothing that happens to an
execution (failure, retry, requeue, purge, sweep) touches it.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from netscript_workers.domain.execution import Enqueued, NewExecution


class Tick(msgspec.Struct, frozen=True):
    """One due moment of one schedule.

    `target` is the schedule's name: its target's id. `at` is when it came due, in ms since 1970.
    """

    target: str
    at: int
    request: NewExecution


class Standing(msgspec.Struct, frozen=True):
    """How far the schedules are: `now` by the engine's own clock, and the `last` tick enqueued of each target (ms since 1970).

    For a schedule none of whose ticks was enqueued yet, `last` is the moment at which it was first seen as it is now.
    """

    now: int
    last: Mapping[str, int]


class TickBook(Protocol):
    """What a scheduler needs of an engine. Every method may raise `EngineError`."""

    async def standing(self, targets: Sequence[str], marks: Sequence[str] = ()) -> Standing:
        """Tell how far `targets` are, each of them, in one round trip.

        Notes now, durably, for every target not yet known: a new schedule does not run for its past.

        `marks`, one for each target or none at all, say what the schedules are. One whose mark is not the noted one was changed,
        by whatever process and however long ago, and begins anew: `last` is now, unless that is later already. What was noted
        without a mark takes the one it is given.
        """
        ...

    async def enqueue_ticks(self, ticks: Sequence[Tick]) -> list[Enqueued | None]:
        """Enqueue those of `ticks` that nobody has enqueued; returns one answer for each, in order.

        None when `at` is not later than its target's last tick (somebody enqueued it), or when the target is not known: it
        was forgotten, or nobody has asked for its `standing`, which makes it known. Else `at` becomes the last and the request
        is enqueued as `enqueue_many` does it, workers woken. Each tick is noted and enqueued in one transaction, or neither, also
        when the process or the server dies in the middle. After an error the same ticks may be given again.
        """
        ...

    async def forget_schedules(self, targets: Sequence[str]) -> None:
        """Forget schedules that were taken away; one that comes back is new again. Executions stay. Idempotent."""
        ...
