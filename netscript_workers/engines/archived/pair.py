"""The live engine and the archive, and what all ports over the pair need: who rests where, and the way back.

A record is copied before it is removed, in both directions, so a kill leaves it in both places and never in none.
Therefore what lives hides what rests: an archived record is shown only while no live one has its id.
"""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.ids import born_at
from netscript_workers.ports.archive import AgeingEngine, Archive
from netscript_workers.ports.promises import DAY_MS

# No record leaves the live store within a day of its end, so an id that was made just now is not in the archive: it spares who
# enqueues a question. Half a day either way is left for the difference between the clocks of two hosts. Nothing else may rest
# on it: whoever made the id may have had a clock that was days off.
_JUST_MADE_MS: Final = DAY_MS // 2
# How long a restored record is safe from the sweeper while it waits for the retry that it was restored for.
RESTORED_KEEP_MS: Final = 10 * 60 * 1000


class Pair:
    """State shared by the ports; they are mixed in over it."""

    def __init__(
        self, live: AgeingEngine, archive: Archive, wall_ms: Callable[[], int] | None = None
    ) -> None:
        """Own both. `wall_ms` tells the time (ms since 1970), so that tests can own it."""
        self._live = live
        self._archive = archive
        self._wall_ms = wall_ms or (lambda: time.time_ns() // 1_000_000)

    def _may_rest(self, execution_ids: Collection[str]) -> list[str]:
        """Return the ids that were not made just now, as far as they tell: new work costs the archive no question."""
        now = self._wall_ms()
        return [
            execution_id
            for execution_id in dict.fromkeys(execution_ids)
            if (born := born_at(execution_id)) is None or abs(born - now) > _JUST_MADE_MS
        ]

    async def _living(self, execution_ids: Sequence[str]) -> set[str]:
        records = await self._live.get_many(execution_ids) if execution_ids else []
        return {record.id for record in records if record is not None}

    async def _resting(
        self,
        fetch: Callable[[int | None], Awaitable[list[Execution]]],
        limit: int | None,
        shown: Collection[str],
    ) -> list[Execution]:
        """Return up to `limit` records that `fetch(limit)` gives from the archive and that neither live nor are `shown`."""
        wanted = limit
        while True:
            found = await fetch(wanted)
            hidden = await self._living([record.id for record in found]) | set(shown)
            resting = [record for record in found if record.id not in hidden]
            if limit is None or wanted is None or len(resting) >= limit or len(found) < wanted:
                return resting if limit is None else resting[:limit]
            wanted += limit - len(resting)

    async def _lift(self, execution_ids: Sequence[str], *, doubles: bool = False) -> None:
        """Make archived records live ones again.

        One that lives may have a double in the archive, left by a kill, which is removed: of all of them if `doubles`, else not
        of one made just now, so that a retry of today's work asks the archive nothing (the next sweep would replace it).
        """
        living = await self._living(execution_ids)
        missing = [each for each in dict.fromkeys(execution_ids) if each not in living]
        ids = missing + (list(living) if doubles else self._may_rest(living))
        if not ids:
            return
        records = await self._archive.read_many(missing) if missing else []
        if records:
            # Its live age is over: without a time to keep it the next sweep might take it away before it runs.
            await self._live.restore(records, RESTORED_KEEP_MS)
        await self._archive.drop_many(ids)
        if records:
            await self._live.let_go([record.execution.id for record in records])
