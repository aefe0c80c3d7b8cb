"""The queue port over Redis."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from netscript_workers.domain.execution import Enqueued, Execution, NewExecution
from netscript_workers.domain.settlement import Settlement
from netscript_workers.engines.redis.base import Base
from netscript_workers.engines.redis.bells import LOOK_AGAIN_S, Bell
from netscript_workers.engines.redis.records import (
    base_of,
    long,
    new_token,
    pieces,
    read_claimed,
    read_execution,
    word,
    words,
)
from netscript_workers.engines.redis.settling import Settling, size_of, written
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal

_LAST_CLAIM_BOUND_S: Final = 2.0


class RedisQueue(Base):
    """What the line needs."""

    def __init__(self, url: str, shown: str, queue_name: str, clock: Callable[[], int] | None) -> None:
        """Touch nothing yet."""
        super().__init__(url, shown, queue_name, clock)
        self._claiming = asyncio.Lock()
        self._doubts: list[int] = []  # tokens of claims whose answer never came
        self._settling = Settling()
        self._heard: dict[str, int] = {}
        self._next_due: int | None = None
        self._ahead_ms = 0.0  # the server's time minus this process's monotonic one

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`."""
        answers: list[Enqueued] = []
        for piece in pieces(requests, _payload_size):
            if piece:
                answers += await self._enqueue(piece)
        return answers

    async def _enqueue(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        refused = await self._run("enqueue", list(map(row_of, requests)), *map(base_of, requests))
        answers = [Enqueued(new.id) for new in requests]
        for place, known in zip(refused[::2], refused[1::2], strict=True):
            answers[place - 1] = Enqueued(long(known), deduplicated=True)
        return answers

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`. A claim whose answer is lost is given back by the next one, or by `close`."""
        await self._bells.begin(Bell.WORK)
        async with self._claiming:
            for lane in request.lanes:
                for topic in lane.topics:
                    self._heard[topic] = self._bells.strokes(topic)
            token = new_token()
            doubts, self._doubts = self._doubts, [*self._doubts, token]
            given = (
                token,
                request.worker_id,
                request.lease_ms,
                request.total,
                [(lane.limit, lane.topics) for lane in request.lanes],
                list(request.target_limits.items()),
                self._engine_id,
                doubts,
            )
            now, due, records = await self._run("claim", given)
            self._doubts = []
            self._ahead_ms = now - time.monotonic() * 1000
            self._next_due = None if due < 0 else due
            return read_claimed(records)

    async def _give_back_doubtful(self) -> None:
        """Give back what a claim without an answer may have claimed, as far as the server can be reached now."""
        if self._doubts:
            nothing = ClaimRequest(worker_id="", lease_ms=1, total=0, lanes=(), target_limits={})
            async with asyncio.timeout(_LAST_CLAIM_BOUND_S):
                await self.claim_many(nothing)

    async def claim_ids(self, execution_ids: Sequence[str], request: ClaimRequest) -> list[Execution]:
        """Claim those of `execution_ids` that can be claimed now (queued or due, not paused, within `target_limits`).

        At most `total` of them, in the order given; the lanes of `request` do not matter. The others stay as they are.
        """
        if not execution_ids:
            return []
        given = (
            new_token(),
            request.worker_id,
            request.lease_ms,
            request.total,
            list(request.target_limits.items()),
            words(execution_ids),
        )
        return read_claimed(await self._run("claim_ids", given))

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`. Said again after an `EngineError`, a settlement that had been applied is told as applied."""
        answers: list[bool] = []
        with self._settling.numbered(settlements) as marks:
            for piece in pieces(settlements, size_of):
                if not piece:
                    continue
                rows, blobs = written(piece, marks[len(answers) :])
                applied = await self._run("settle", rows, CANCELLED_KEEP_MS, CANCELLED_ARCHIVE_MS, *blobs)
                answers += [answer == 1 for answer in applied]
        return answers

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        if not claims:
            return Renewal()
        lost = await self._run("extend", (lease_ms, _pairs(claims)))
        return Renewal(lost=tuple(map(long, lost)))

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        given = (new_token(), lease_ms, limit, _pairs(mine))
        return [read_execution(record) for record in await self._run("take_expired", given)]

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`. Returns after `LOOK_AGAIN_S` at the latest: the caller's next claim is the net."""
        await self._bells.listen(Bell.WORK)
        with self._bells.hearing(Bell.WORK, topics) as ear:
            rung = False
            for topic in topics:
                strokes = self._bells.strokes(topic)
                rung = rung or self._heard.get(topic) != strokes
                self._heard[topic] = strokes
            if not rung:
                await ear.wait(min(timeout_ms, self._until_due_ms(), LOOK_AGAIN_S * 1000) / 1000)

    def _until_due_ms(self) -> float:
        if self._next_due is None:
            return float("inf")
        now = self._clock() if self._clock is not None else time.monotonic() * 1000 + self._ahead_ms
        return self._next_due - now

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        await self._bells.listen(Bell.CANCEL)
        tokens = {claim.execution_id: claim.token for claim in claims}
        deadline = time.monotonic() + timeout_ms / 1000
        with self._bells.hearing(Bell.CANCEL) as ear:
            while True:
                found = await self._server.call("HGETALL", f"{self._root}:asked")
                asked = {long(one): int(token) for one, token in zip(found[::2], found[1::2], strict=True)}
                mine = [one for one, token in tokens.items() if asked.get(one) == token]
                left = deadline - time.monotonic()
                if mine or left <= 0:
                    return mine
                await ear.wait(min(left, LOOK_AGAIN_S))


def _pairs(claims: Sequence[Claim]) -> list[tuple[object, int]]:
    return [(word(claim.execution_id), claim.token) for claim in claims]


def _payload_size(new: NewExecution) -> int:
    return len(new.payload)


def row_of(new: NewExecution) -> tuple[Any, ...]:
    """Return what the script `enqueue` must know of a request."""
    return (
        word(new.id),
        new.target,
        new.topic,
        new.priority,
        new.delay_ms,
        new.max_attempts,
        new.triggered_by,
        new.correlation_id,
        new.idempotency_key,
    )
