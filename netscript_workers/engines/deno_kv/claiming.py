"""How a claim chooses: lane by lane, by priority and then age, within every limit; what a limit holds back is parked."""

from collections.abc import Mapping
from typing import Final

from netscript_workers.domain.execution import Execution, Status
from netscript_workers.engines.deno_kv.base import new_token
from netscript_workers.engines.deno_kv.rows import Candidate, batch, read_candidates, read_look
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.ports.queue import ClaimRequest

PROMOTE_LIMIT: Final = 1_000
FIRST_REACH: Final = 256
MAX_ROUNDS: Final = 64


class Claiming:
    """One claim, within a transaction."""

    def __init__(
        self, sql: Statements, queue: int, request: ClaimRequest, *, now: int, lease_until: int
    ) -> None:
        """Prepare the claim that `request` asks for; `now` is wall time, `lease_until` boot time (ms)."""
        self._sql = sql
        self._queue = queue
        self._request = request
        self._now = now
        self._lease_until = lease_until
        self._wanted = batch(
            [[n, t, lane.limit] for n, lane in enumerate(request.lanes) for t in lane.topics]
        )
        self.topics = [topic for lane in request.lanes for topic in lane.topics]
        self.exhausted: frozenset[str] = (
            frozenset()
        )  # topics of the lanes that could have taken more, once `perform` has looked
        self.next_due: int | None = None  # when the next pending row is due, once `perform` has looked

    def perform(self, tx: Transaction) -> list[Execution]:
        """Choose and claim."""
        chosen = self._choose(tx)
        if not chosen:
            return []
        token = new_token()
        tx.run(
            self._sql["claim"],
            {
                "token": token,
                "worker": self._request.worker_id,
                "now": self._now,
                "lease_until": self._lease_until,
                "seqs": batch([candidate.seq for candidate in chosen]),
            },
        )
        return [self._claimed(candidate, token) for candidate in chosen]

    def _choose(self, tx: Transaction) -> list[Candidate]:
        reach = FIRST_REACH
        chosen: list[Candidate] = []
        for _ in range(MAX_ROUNDS):
            candidates, running = self._look(tx)
            chosen, blocked = self._pick(candidates, running)
            if not blocked:  # else a row held back may hide one that comes before those chosen
                break
            parked = tx.run(
                self._sql["park"],
                {
                    "queue": self._queue,
                    "topics": batch(self.topics),
                    "blocked": batch(sorted(blocked)),
                    "reach": reach,
                },
            )
            if parked == 0:
                break
            reach *= 4
        return chosen

    def _look(self, tx: Transaction) -> tuple[list[Candidate], dict[str, int]]:
        parameters = {
            "queue": self._queue,
            "wanted": self._wanted,
            "total": self._request.total,
            "limited": batch(list(self._request.target_limits)),
        }
        look = read_look(tx.one(self._sql["look"], parameters))
        if look.next_due is not None and look.next_due <= self._now:
            tx.run(self._sql["promote"], {"queue": self._queue, "now": self._now, "limit": PROMOTE_LIMIT})
            look = read_look(tx.one(self._sql["look"], parameters))
        self.next_due = look.next_due
        candidates = look.candidates
        if look.has_parked:
            parked = tx.one(
                self._sql["look_parked"],
                {
                    "queue": self._queue,
                    "wanted": self._wanted,
                    "total": self._request.total,
                    "limits": batch(dict(self._request.target_limits)),
                },
            )
            candidates = [*candidates, *read_candidates(parked)]
        candidates.sort(key=lambda c: (c.lane, c.place, -c.priority, c.seq))
        return candidates, look.running

    def _pick(
        self, candidates: list[Candidate], running: Mapping[str, int]
    ) -> tuple[list[Candidate], set[str]]:
        limits = self._request.target_limits
        busy = dict(running)
        in_lane = [0] * len(self._request.lanes)
        chosen: dict[int, Candidate] = {}  # by row: two lanes may name one topic
        blocked: set[str] = set()
        for candidate in candidates:
            if len(chosen) >= self._request.total:
                break
            if candidate.seq in chosen:
                continue
            if in_lane[candidate.lane] >= self._request.lanes[candidate.lane].limit:
                continue
            limit = limits.get(candidate.target)
            if limit is not None:
                if busy.get(candidate.target, 0) >= limit:
                    if not candidate.parked:
                        blocked.add(candidate.target)
                    continue
                busy[candidate.target] = busy.get(candidate.target, 0) + 1
            in_lane[candidate.lane] += 1
            chosen[candidate.seq] = candidate
        self.exhausted = frozenset(
            topic
            for lane, got in zip(self._request.lanes, in_lane, strict=True)
            if got < lane.limit
            for topic in lane.topics
        )
        return list(chosen.values()), blocked

    def _claimed(self, candidate: Candidate, token: int) -> Execution:
        return Execution(
            id=candidate.id,
            concept=candidate.concept,
            target=candidate.target,
            topic=candidate.topic,
            status=Status.RUNNING,
            triggered_by=candidate.triggered_by,
            triggered_at=candidate.triggered_at,
            payload=candidate.payload.encode(),
            priority=candidate.priority,
            attempt=candidate.attempt + 1,
            max_attempts=candidate.max_attempts,
            token=token,
            started_at=self._now,
            worker_id=self._request.worker_id,
            correlation_id=candidate.correlation_id,
            idempotency_key=candidate.idempotency_key,
            traceparent=candidate.traceparent,
            tracestate=candidate.tracestate,
        )
