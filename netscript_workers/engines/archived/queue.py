"""The queue port over the pair: all of it is the live engine's."""

from collections.abc import Sequence

from netscript_workers.domain.execution import FINISHED, Enqueued, Execution, NewExecution
from netscript_workers.domain.settlement import Settlement
from netscript_workers.engines.archived.pair import Pair
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal


class ArchivedQueue(Pair):
    """What the line needs. Nothing here asks the archive, save the enqueueing of an id that was not made just now."""

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`. An id that has ended is not taken in again, whether it lives or rests in the archive."""
        old = self._may_rest([request.id for request in requests])
        ended = await self._ended(old) if old else set[str]()
        if not ended:
            return await self._live.enqueue_many(requests)
        taken = [request for request in requests if request.id not in ended]
        answers = iter(await self._live.enqueue_many(taken) if taken else [])
        return [
            Enqueued(request.id, deduplicated=True) if request.id in ended else next(answers)
            for request in requests
        ]

    async def _ended(self, execution_ids: Sequence[str]) -> set[str]:
        """Return those that have ended.

        The live store is asked first: a sweep copies before it removes, so one that is gone from there is in the archive by
        then. The other way round, one that is archived between the two questions would be found by neither, and run again.
        """
        live = {one.id: one for one in await self._live.get_many(execution_ids) if one is not None}
        missing = [each for each in execution_ids if each not in live]
        resting = await self._archive.get_many(missing) if missing else []
        ended = {one.id for one in live.values() if one.status in FINISHED}
        return ended | {one.id for one in resting if one is not None}

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`."""
        return await self._live.claim_many(request)

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`."""
        return await self._live.settle_many(settlements)

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        return await self._live.extend_many(claims, lease_ms)

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        return await self._live.take_expired(worker_id, lease_ms, limit, mine)

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`."""
        await self._live.wait_for_work(topics, timeout_ms)

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        return await self._live.wait_for_cancels(claims, timeout_ms)
