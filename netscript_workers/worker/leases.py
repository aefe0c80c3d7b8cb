"""Keeps the claims of this worker alive, hears of cancellations, and takes over what lost workers left behind."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from itertools import chain, repeat
from typing import Final

import msgspec

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.retry import RetryPolicy, policy_of
from netscript_workers.domain.settlement import Settlement, decide, retain_of
from netscript_workers.domain.target import Target
from netscript_workers.ports.clock import Clock
from netscript_workers.ports.queue import Claim, Queue
from netscript_workers.worker.attempt import Attempt
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.settler import Settler
from netscript_workers.worker.stop import Stop

TAKE_OVER_BATCH: Final = 200
_CANCEL_POLL_MS: Final = 250
_CANCEL_WAIT_MS: Final = 5_000
_CANCEL_GRACE_S: Final = 0.01  # most runs are over by then, and nobody need be asked about them
_NO_RETRY: Final = RetryPolicy(max_attempts=1)

log = logging.getLogger("netscript_workers.worker")


class LeaseTerms(msgspec.Struct, frozen=True, kw_only=True):
    """Who claims, and for how long a claim lives unless renewed (ms); it is renewed three times in that time."""

    worker_id: str
    lease_ms: int


class Leases:
    """Owns the claims from the moment they are made until their settlement is written. A `Service`.

    `cancel_unstarted` and `lose_unstarted` are told of attempts to be dropped that hold no slot yet.
    """

    name = "leases"

    def __init__(
        self,
        queue: Queue,
        terms: LeaseTerms,
        targets: Mapping[str, Target],
        clock: Clock,
        settler: Settler,
        outages: Outages,
        faults: Faults,
    ) -> None:
        """Renew through `queue`; settlements of lost executions go to `settler`."""
        self._queue = queue
        self._terms = terms
        self._targets = targets
        self._clock = clock
        self._settler = settler
        self._outages = outages
        self._faults = faults
        self._attempts: dict[str, Attempt] = {}
        self._some = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._newcomer = asyncio.Event()
        self.cancel_unstarted: Callable[[Attempt], None] = lambda _attempt: None
        self.lose_unstarted: Callable[[Attempt], None] = lambda _attempt: None
        self.observe: Callable[[Execution, Settlement], None] | None = None  # told of each run taken over

    def hold(self, attempt: Attempt) -> None:
        """Keep the claim of `attempt` alive from now on; an older attempt of the same execution has lost its own."""
        if not self._attempts:
            self._some.set()
        older = self._attempts.get(attempt.execution.id)
        if older is not None:
            self._lose(older)
        self._attempts[attempt.execution.id] = attempt
        self._newcomer.set()

    def let_go(self, attempt: Attempt) -> None:
        """Stop renewing the claim of `attempt`; a later claim of the same execution stays."""
        if self._attempts.get(attempt.execution.id) is attempt:
            del self._attempts[attempt.execution.id]
            if not self._attempts:
                self._some.clear()

    @property
    def attempts(self) -> list[Attempt]:
        """Every attempt whose claim is held here, started or not."""
        return list(self._attempts.values())

    async def start(self) -> None:
        """Begin to renew, to listen, and to take over."""
        if not self._tasks:
            self._tasks = [
                self._faults.spawn(self._renew(), "lease renewal"),
                self._faults.spawn(self._hear_cancels(), "cancellations"),
                self._faults.spawn(self._take_over(), "take-over of lost executions"),
            ]

    async def stop(self, grace_ms: int) -> None:
        """End; claims still held live until their leases run out."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            await end(task, grace_ms)

    def _claims(self) -> list[Claim]:
        return [Claim(a.execution.id, a.execution.token) for a in self._attempts.values()]

    def _live(self) -> list[Claim]:
        return [*self._claims(), *self._settler.claims()]

    def _lose(self, attempt: Attempt) -> None:
        if attempt.started_at is None:
            self.lose_unstarted(attempt)
        else:
            attempt.stop(Stop.LOST)

    async def _renew(self) -> None:
        period = self._terms.lease_ms / 3000
        while True:
            await asyncio.sleep(period)
            claims = self._live()
            if not claims:
                continue
            renewal = await self._outages.outlast(
                "renew leases", lambda c=claims: self._queue.extend_many(c, self._terms.lease_ms)
            )
            if not renewal.lost:
                continue
            asked = {claim.execution_id: claim.token for claim in claims}
            for execution_id in renewal.lost:
                attempt = self._attempts.get(execution_id)
                # One that was settled meanwhile, or claimed anew, is no loss.
                if attempt is not None and attempt.execution.token == asked[execution_id]:
                    self._lose(attempt)

    async def _hear_cancels(self) -> None:
        while True:
            await self._some.wait()
            await asyncio.sleep(_CANCEL_GRACE_S)
            if not self._attempts:
                continue
            asked = await self._asked_to_cancel()
            fresh = 0
            for execution_id in asked:
                attempt = self._attempts.get(execution_id)
                if attempt is None or attempt.stop_reason is not None:
                    continue
                fresh += 1
                if attempt.started_at is None:
                    self.cancel_unstarted(attempt)
                else:
                    attempt.stop(Stop.CANCEL)
            if asked and not fresh:  # they are on their way out: do not ask again at once
                await asyncio.sleep(_CANCEL_POLL_MS / 1000)

    async def _asked_to_cancel(self) -> list[str]:
        """Wait for cancellations of what is held now; a wait among settled runs ends when another one joins them."""
        self._newcomer.clear()
        claims = self._claims()
        patience = self._cancel_patience(claims)

        def listen() -> Awaitable[list[str]]:
            return self._queue.wait_for_cancels(claims, patience)

        if patience == _CANCEL_POLL_MS:
            return await self._outages.outlast("hear of cancellations", listen)
        loop = asyncio.get_running_loop()
        heard = loop.create_task(self._outages.outlast("hear of cancellations", listen))
        joined = loop.create_task(self._newcomer.wait())
        try:
            await asyncio.wait({heard, joined}, return_when=asyncio.FIRST_COMPLETED)
            return heard.result() if heard.done() else []
        finally:
            for task in (heard, joined):
                task.cancel()
            await asyncio.wait({heard, joined}, timeout=5)

    def _cancel_patience(self, claims: list[Claim]) -> int:
        # An attempt that began after the wait did is not in its list; while runs come and go, ask more often.
        settled_down = len(claims) == len(self._attempts) and all(
            (attempt := self._attempts.get(claim.execution_id)) is not None
            and attempt.started_at is not None
            and self._clock.now_ms() - attempt.started_at > _CANCEL_POLL_MS
            for claim in claims
        )
        return _CANCEL_WAIT_MS if settled_down else _CANCEL_POLL_MS

    async def _take_over(self) -> None:
        lease_s = self._terms.lease_ms / 1000
        while True:
            # While the store was away nobody could renew: each worker gets the time to say that it lives.
            left = self._outages.settled_in(lease_s)
            if left > 0:
                await asyncio.sleep(min(left, lease_s / 3))
                continue
            expired = await self._outages.outlast("look for lost executions", self._expired_call())
            for execution in expired:
                self._bury_or_retry(execution)
            if len(expired) < TAKE_OVER_BATCH:
                await asyncio.sleep(lease_s / 3)

    def _expired_call(self) -> Callable[[], Awaitable[list[Execution]]]:
        """Return the call that takes over; said again after a failure, it only looks whether the store is there again."""
        limits = chain((TAKE_OVER_BATCH,), repeat(0))
        terms = self._terms

        def take() -> Awaitable[list[Execution]]:
            return self._queue.take_expired(terms.worker_id, terms.lease_ms, next(limits), self._live())

        return take

    def _bury_or_retry(self, execution: Execution) -> None:
        target = self._targets.get(execution.target)
        error = (
            f"its worker {execution.worker_id} fell silent for longer than its lease (killed, lost or frozen)"
        )
        log.warning(
            "execution %s of %s: %s", execution.id, execution.target, error, extra={"run": _fields(execution)}
        )
        settlement = decide(
            execution,
            outcomes.lost(error),
            policy_of(target)
            if target is not None
            else msgspec.structs.replace(_NO_RETRY, max_attempts=max(1, execution.max_attempts)),
            retain_of(target),
            self._clock.now_ms(),
            started_at=execution.started_at,
        )
        self._settler.put(settlement)
        if self.observe is not None:
            self.observe(execution, settlement)


def _fields(execution: Execution) -> dict[str, object]:
    return {"execution": execution.id, "target": execution.target, "attempt": execution.attempt}
