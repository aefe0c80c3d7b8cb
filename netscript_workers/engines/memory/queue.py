"""The queue port, in memory."""

import heapq
from collections.abc import Mapping, Sequence

from netscript_workers.domain.execution import FINISHED, Enqueued, Execution, NewExecution, Status
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.engines.memory.store import Entry, Ranked, Store, changed, live
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, KEY_HOLDS_MS
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal


class MemoryQueue:
    """What the line needs, over a `Store`."""

    def __init__(self, store: Store) -> None:
        """Serve from `store`."""
        self._store = store
        self._heard = -1

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`."""
        answers = [self._enqueue(request) for request in requests]
        if answers:
            self._store.work.ring()
        return answers

    def _enqueue(self, new: NewExecution) -> Enqueued:
        store = self._store
        if new.id in store.entries:
            return Enqueued(new.id, deduplicated=True)
        if new.idempotency_key is not None:
            for execution_id in store.keys.get((new.target, new.idempotency_key), ()):  # the oldest first
                if self._holds_its_key(store.entries[execution_id].record):
                    return Enqueued(execution_id, deduplicated=True)
        store.add(new)
        return Enqueued(new.id)

    def _holds_its_key(self, record: Execution) -> bool:
        if record.status not in FINISHED:
            return True
        since = self._store.wall_ms() - KEY_HOLDS_MS
        return record.status is Status.COMPLETED and (record.completed_at or 0) > since

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`."""
        store = self._store
        self._heard = store.work.strokes
        store.promote()
        claimed: list[Execution] = []
        for lane in request.lanes:
            room = min(lane.limit, request.total - len(claimed))
            for topic in lane.topics:
                if topic in store.paused:
                    continue
                while room > 0 and (entry := self._best(topic, request.target_limits)) is not None:
                    claimed.append(self._claim(entry, request))
                    room -= 1
        return claimed

    def _best(self, topic: str, limits: Mapping[str, int]) -> Entry | None:
        """Return the best entry of a topic that no limit holds back; park those met before it that one does."""
        store = self._store
        heap = store.topics.get(topic, [])
        while (first := live(heap, parked=False)) is not None and self._at_limit(first.record.target, limits):
            heapq.heappop(heap)
            store.park(first)
        rivals = [first] if first is not None else []
        for target, parked in store.parked.items():
            if not self._at_limit(target, limits) and (rival := _first_of(parked, topic)) is not None:
                rivals.append(rival)
        return min(rivals, key=lambda entry: entry.rank, default=None)

    def _at_limit(self, target: str, limits: Mapping[str, int]) -> bool:
        limit = limits.get(target)
        return limit is not None and self._store.running_of[target] >= limit

    def _claim(self, entry: Entry, request: ClaimRequest) -> Execution:
        store = self._store
        entry.lease_until = store.lease_ms() + request.lease_ms
        entry.cancel_asked = False
        record = changed(
            entry.record,
            status=Status.RUNNING,
            attempt=entry.record.attempt + 1,
            token=store.token(),
            worker_id=request.worker_id,
            started_at=store.wall_ms(),
            completed_at=None,
            error=None,
            result=None,
            exit_code=None,
            progress=None,
        )
        store.put(entry, record)
        return record

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`."""
        return [self._settle(settlement) for settlement in settlements]

    def _settle(self, settlement: Settlement) -> bool:
        store = self._store
        entry = self._held(Claim(settlement.execution_id, settlement.token))
        if entry is None:
            return False
        before, now = entry.record, store.wall_ms()
        finished = settlement.status in FINISHED
        if settlement.record is not None:
            entry.attempts.append(settlement.record)
        entry.add_lines(settlement.lines)
        record = changed(
            before,
            status=settlement.status,
            attempt=settlement.attempt,
            max_attempts=settlement.max_attempts,
            token=store.token(),
            due_at=now + settlement.delay_ms if settlement.status is Status.PENDING else None,
            started_at=(settlement.started_at or before.started_at) if finished else None,
            completed_at=(settlement.completed_at or now) if finished else None,
            worker_id=before.worker_id if finished else None,
            error=settlement.error,
            result=settlement.result,
            exit_code=settlement.exit_code,
        )
        if finished:
            store.finish(entry, record, settlement.keep_ms, settlement.archive_ms)
        elif entry.cancel_asked:
            ended = changed(record, status=Status.CANCELLED, completed_at=now, due_at=None)
            store.finish(entry, ended, CANCELLED_KEEP_MS, CANCELLED_ARCHIVE_MS)
        else:
            store.put(entry, record)
        if settlement.action in (Action.RETRY, Action.GIVE_BACK) or store.parked:
            store.work.ring()
        store.ends.ring()
        return True

    def _held(self, claim: Claim) -> Entry | None:
        entry = self._store.running.get(claim.execution_id)
        return entry if entry is not None and entry.record.token == claim.token else None

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        lost: list[str] = []
        until = self._store.lease_ms() + lease_ms
        for claim in claims:
            entry = self._held(claim)
            if entry is None:
                lost.append(claim.execution_id)
            else:
                entry.lease_until = until
        return Renewal(lost=tuple(lost))

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        store = self._store
        now = store.lease_ms()
        own = {(claim.execution_id, claim.token) for claim in mine}
        expired = [
            entry
            for entry in store.running.values()
            if entry.lease_until < now and (entry.record.id, entry.record.token) not in own
        ]
        taken: list[Execution] = []
        for entry in sorted(expired, key=lambda entry: entry.lease_until)[:limit]:
            entry.lease_until = now + lease_ms
            store.put(entry, changed(entry.record, token=store.token()))
            taken.append(entry.record)
        return taken

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`."""
        heard, self._heard = self._heard, self._store.work.strokes
        due = self._store.next_due()
        if due is not None:
            timeout_ms = min(timeout_ms, due - self._store.wall_ms())
        await self._store.work.wait(heard, timeout_ms / 1000)

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        asked = self._asked(claims)
        deadline = self._store.lease_ms() + timeout_ms
        while not asked and (left := deadline - self._store.lease_ms()) > 0:
            await self._store.cancels.wait(self._store.cancels.strokes, left / 1000)
            asked = self._asked(claims)
        return asked

    def _asked(self, claims: Sequence[Claim]) -> list[str]:
        held = ((claim, self._held(claim)) for claim in claims)
        return [claim.execution_id for claim, entry in held if entry is not None and entry.cancel_asked]


def _first_of(heap: list[Ranked], topic: str) -> Entry | None:
    """Return the best parked entry of one topic: nearly always a target has one topic, then it is the first."""
    first = live(heap, parked=True)
    if first is None or first.record.topic == topic:
        return first
    others = [entry for _, token, entry in heap if entry.parked and entry.record.token == token]
    return min(
        (entry for entry in others if entry.record.topic == topic), key=lambda entry: entry.rank, default=None
    )
