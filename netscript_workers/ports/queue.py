"""The queue, as the line needs it: every verb takes many, every verb is one round trip.

Every method may raise `EngineError` when the store fails in a way that may pass. An engine's own clock (the server's, for an
engine with a server) decides about due times and leases; the host's never does where there is a server.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from netscript_workers.domain.execution import Enqueued, Execution, NewExecution
from netscript_workers.domain.settlement import Settlement


class LaneDemand(msgspec.Struct, frozen=True):
    """How many executions a lane can take now: `limit` in all from its `topics`, tried in the order given."""

    topics: tuple[str, ...]
    limit: int


class ClaimRequest(msgspec.Struct, frozen=True, kw_only=True):
    """One worker's demand.

    Lanes are served in order, each up to its limit, all together up to `total`. `target_limits` says how many runs of a
    target may go on at once across all workers (`max_concurrency`); a target not named has no limit. An execution that its
    target's limit holds back waits, and others pass it. A paused topic yields nothing. `lease_ms` is how long
    the claims live unless renewed.
    """

    worker_id: str
    lease_ms: int
    total: int
    lanes: tuple[LaneDemand, ...]
    target_limits: Mapping[str, int]


class Renewal(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to a renewal of leases: the executions (ids) whose lease this worker has lost."""

    lost: tuple[str, ...] = ()


class Claim(msgspec.Struct, frozen=True):
    """Names one live claim: the execution and the token it was claimed with."""

    execution_id: str
    token: int


class Queue(Protocol):
    """What the line needs of an engine."""

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """Store `requests` durably and return one answer for each, in order.

        With an idempotency key: while an execution of that target with that key is unfinished, or completed within
        24 h, the answer is that one, `deduplicated`; also between two requests of one call. Wakes waiting workers.
        """
        ...

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """Claim what is due: by priority (higher first), FIFO within one; mark it `running` with a new token and lease.

        Returns the executions with `attempt` already counted up, `worker_id`, `started_at` and `token` set.
        Delayed executions and retries that have become due take part.
        """
        ...

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """End attempts: acknowledgement, final record, attempt record and log lines in one durable step.

        Returns for each whether it was applied; False when its claim was no longer the live one (fenced off),
        which leaves the store as it was. Wakes whoever waits for the end of an execution, and workers when work became free.
        """
        ...

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """Renew the leases of running executions for `lease_ms` from now, in one call."""
        ...

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """Take over at most `limit` running executions whose lease has run out (their worker is lost).

        Each has a new token, and no two workers get the same one. The caller must settle them (their attempt is used up,
        cause `lost-worker`).
        `mine` are the caller's own live claims: never taken, however late their renewal is (a stalled loop, a suspended host).
        `worker_id` in the records returned names the lost worker, not the caller.
        """
        ...

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """Return when work for `topics` may have arrived or become due, or after `timeout_ms`; may return early.

        What arrives between a claim that found nothing and this call is not missed.
        """
        ...

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """Return the ids among `claims` that somebody asked to cancel: at once if any, empty after `timeout_ms`."""
        ...
