"""The queue port over PostgreSQL: one function call, and so one round trip, for each verb."""

import time
from collections.abc import Sequence
from typing import Any, Final

from netscript_workers.domain.execution import Enqueued, Execution, NewExecution
from netscript_workers.domain.settlement import Settlement
from netscript_workers.engines.postgres import enqueuing, settling
from netscript_workers.engines.postgres.arrays import ints, texts
from netscript_workers.engines.postgres.base import Base, new_token
from netscript_workers.engines.postgres.bells import Bell
from netscript_workers.engines.postgres.connection import STATEMENT_BOUND_S
from netscript_workers.engines.postgres.rows import claim_of, record_of
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.errors import EngineError
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal

_FIRST_NAP_S: Final = 0.005
_LAST_NAP_S: Final = 1.0
_MOST_UNSURE: Final = 20_000


class PostgresQueue(Base):
    """What the line needs."""

    _heard = -1
    _in_vain = 0

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`."""
        if not requests:
            return []
        parameters = enqueuing.parameters(self._number, requests, self._now())
        rows = await self._connections.run(statement("enqueue"), *parameters)
        return enqueuing.answers(requests, rows)

    # ------------------------------------------------------------------ claims

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`."""
        self._heard = self._bells.strokes(Bell.WORK)
        if request.total <= 0 or not request.lanes:
            return []
        return await self._claimed("claim", request)

    async def claim_ids(self, execution_ids: Sequence[str], request: ClaimRequest) -> list[Execution]:
        """Claim those of `execution_ids` that `claim_many` could hand out for `request` now; the others stay as they are."""
        if request.total <= 0 or not request.lanes or not execution_ids:
            return []
        return await self._claimed("claim_ids", request, list(execution_ids))

    async def _claimed(self, verb: str, request: ClaimRequest, *ids: list[str]) -> list[Execution]:
        if unheard := self._unheard_claims.due():
            await self._give_back(unheard)
        lanes, topics, rooms = _wanted(request)
        token = new_token()
        rows = await self._connections.run(
            statement(verb),
            self._number,
            *ids,
            request.worker_id,
            request.lease_ms,
            request.total,
            lanes,
            topics,
            rooms,
            list(request.target_limits),
            list(request.target_limits.values()),
            token,
            self._now(),
            unheard=lambda over: self._unheard_claims.add(token, over=over),
        )
        if rows:
            self._in_vain = 0
        return [claim_of(row, token, request.worker_id) for row in rows]

    async def _give_back(self, tokens: list[int], bound_s: float = STATEMENT_BOUND_S) -> None:
        """Undo claims whose answer never arrived."""
        begun = time.monotonic()
        await self._connections.run(
            statement("give_back"), self._number, tokens, new_token(), bound_s=bound_s
        )
        self._unheard_claims.given_back(tokens, begun)

    # ------------------------------------------------------------------ ends

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`."""
        if not settlements:
            return []
        if len({one.execution_id for one in settlements}) < len(settlements):
            return [await self._settle_alone(one) for one in settlements]
        ordered = sorted(settlements, key=_id_of)  # all who lock many rows do it in this order
        reached = await self._settle(ordered)
        if reached is None:
            return [True] * len(settlements)
        return [one.execution_id in reached for one in settlements]

    async def _settle_alone(self, one: Settlement) -> bool:
        reached = await self._settle([one])
        return reached is None or one.execution_id in reached

    async def _settle(self, settlements: list[Settlement]) -> set[str] | None:
        """Write, and return the ids of those applied (None: all).

        Each settlement has a mark of its own, kept while its answer is not known: repeated, it is recognised.
        """
        unsure = self._unsure
        marks = [unsure.get((one.execution_id, one.token)) or new_token() for one in settlements]
        parameters = settling.parameters(self._number, settlements, marks, self._now(), repeated=bool(unsure))
        try:
            rows = await self._connections.run(statement("settle"), *parameters)
        except BaseException as error:
            if isinstance(error, EngineError):
                if len(unsure) > _MOST_UNSURE:  # whoever gave up on them does not ask again
                    unsure.clear()
                unsure.update(
                    ((one.execution_id, one.token), mark)
                    for one, mark in zip(settlements, marks, strict=True)
                )
            raise
        if unsure:
            for one in settlements:
                unsure.pop((one.execution_id, one.token), None)
        reached: list[str] | None = rows[0][0]
        return None if reached is None else set(reached)

    # ------------------------------------------------------------------ leases

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        if not claims:
            return Renewal()
        rows = await self._connections.run(statement("extend"), self._number, *_pairs(claims), lease_ms)
        lost: list[int] = rows[0][0]
        return Renewal(lost=tuple(claims[place - 1].execution_id for place in lost))

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        rows = await self._connections.run(
            statement("take_expired"), self._number, lease_ms, limit, *_pairs(mine), new_token()
        )
        return [record_of(row) for row in rows]

    # ------------------------------------------------------------------ waits

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`."""
        heard, self._heard = self._heard, self._bells.strokes(Bell.WORK)
        deadline = time.monotonic() + timeout_ms / 1000
        while (left := deadline - time.monotonic()) > 0:
            rows = await self._connections.run(
                statement("look_for_work"), self._number, list(topics), self._now(), not self._bells.listening
            )
            waiting: bool = rows[0][0]
            until_due: int | None = rows[0][1]
            if waiting or (until_due is not None and until_due <= 0):
                # Rows that others hold locked, or a limit holds back, look claimable and are not: ask less and less often.
                longest = min(_LAST_NAP_S, self._bells.patience_s)
                nap = min(_FIRST_NAP_S * 2**self._in_vain, longest) if self._in_vain else 0.0
                self._in_vain = min(self._in_vain + 1, 10)
                await self._bells.wait(Bell.WORK, heard, min(left, nap))
                return
            seconds = min(left, self._bells.patience_s)
            if until_due is not None:
                seconds = min(seconds, until_due / 1000)
            if await self._bells.wait(Bell.WORK, heard, seconds):
                return

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        deadline = time.monotonic() + timeout_ms / 1000
        pairs = _pairs(claims)
        while True:
            heard = self._bells.strokes(Bell.CANCEL)
            rows = await self._connections.run(statement("asked_to_cancel"), self._number, *pairs)
            left = deadline - time.monotonic()
            if rows or left <= 0:
                return [row[0] for row in rows]
            await self._bells.wait(Bell.CANCEL, heard, min(left, self._bells.patience_s))


def _id_of(settlement: Settlement) -> str:
    return settlement.execution_id


def _pairs(claims: Sequence[Claim]) -> tuple[str | None, str | None]:
    return texts([claim.execution_id for claim in claims]) if claims else "{}", ints(
        [claim.token for claim in claims]
    )


def _wanted(request: ClaimRequest) -> tuple[list[int], list[str], list[int]]:
    wanted: list[Any] = [
        (number, topic, lane.limit) for number, lane in enumerate(request.lanes) for topic in lane.topics
    ]
    return [lane for lane, _, _ in wanted], [topic for _, topic, _ in wanted], [room for _, _, room in wanted]
