"""The queue port over the file."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from netscript_workers.domain.execution import Enqueued, Execution, NewExecution
from netscript_workers.domain.message import NO_TERMS, Terms
from netscript_workers.domain.settlement import Settlement
from netscript_workers.engines.deno_kv.arrivals import Arrivals
from netscript_workers.engines.deno_kv.base import Base, new_token
from netscript_workers.engines.deno_kv.bells import LOOK_AGAIN_S, Bell
from netscript_workers.engines.deno_kv.claiming import Claiming
from netscript_workers.engines.deno_kv.log_watch import LogWatch
from netscript_workers.engines.deno_kv.rows import batch, read_numbers, read_rows, read_texts
from netscript_workers.engines.deno_kv.settling import Settling
from netscript_workers.engines.deno_kv.times import boot_ms
from netscript_workers.engines.deno_kv.transaction import Operation, Transaction
from netscript_workers.ports.promises import KEY_HOLDS_MS
from netscript_workers.ports.queue import Claim, ClaimRequest, Renewal

_read_keys = msgspec.json.Decoder(list[tuple[str, str, str]]).decode
_read_claims = msgspec.json.Decoder(list[tuple[str, int]]).decode
_read_waiting = msgspec.json.Decoder(tuple[int, int | None, int]).decode


class Looked(NamedTuple):
    """What a claim that came short has seen: nothing more for `topics` now, and when the next pending row is due."""

    topics: frozenset[str]
    next_due: int | None


class DenoKvQueue(Base):
    """What the line needs."""

    def __init__(
        self, path: Path, queue_name: str, wall_ms: Callable[[], int], terms: Terms = NO_TERMS
    ) -> None:
        """Touch nothing yet; `terms` say how to read what Deno enqueues."""
        super().__init__(path, queue_name, wall_ms)
        self._heard = -1
        self._looked: Looked | None = None
        self._arrivals = Arrivals(
            self._connections, self._bells, LogWatch(path), self._sql, self._enqueue, terms, wall_ms
        )

    async def enqueue_many(self, requests: Sequence[NewExecution]) -> list[Enqueued]:
        """See `ports.queue.Queue`."""
        if not requests:
            return []
        return await self._connections.write(lambda tx: self._enqueue(tx, requests, self._wall_ms()))

    def _enqueue(self, tx: Transaction, requests: Sequence[NewExecution], now: int) -> list[Enqueued]:
        holders = self._holders(tx, requests, now)
        answers: list[Enqueued] = []
        rows: list[list[Any]] = []
        for new in requests:
            if new.idempotency_key is not None:
                holder = holders.setdefault((new.target, new.idempotency_key), new.id)
                if holder != new.id:
                    answers.append(Enqueued(holder, deduplicated=True))
                    continue
            answers.append(Enqueued(new.id))
            rows.append(_new_row(new, now))
        token = new_token()
        stored = tx.run(self._sql["enqueue"], self._with(token=token, now=now, batch=batch(rows)))
        tx.bells.add(Bell.WORK)
        if stored == len(rows):
            return answers
        ids = batch([row[0] for row in rows])
        fresh = set(read_texts(tx.one(self._sql["reached"], self._with(token=token, ids=ids))))
        told: list[Enqueued] = []
        for answer in answers:  # an id that was there before, or twice in this batch
            told.append(answer if answer.id in fresh else Enqueued(answer.id, deduplicated=True))
            fresh.discard(answer.id)
        return told

    def _holders(
        self, tx: Transaction, requests: Sequence[NewExecution], now: int
    ) -> dict[tuple[str, str], str]:
        keys = [[new.target, new.idempotency_key] for new in requests if new.idempotency_key is not None]
        if not keys:
            return {}
        found = tx.one(self._sql["find_keys"], self._with(keys=batch(keys), since=now - KEY_HOLDS_MS))
        return {(target, key): execution_id for target, key, execution_id in _read_keys(found)}

    async def claim_many(self, request: ClaimRequest) -> list[Execution]:
        """See `ports.queue.Queue`. The first claim begins to serve Deno's own queue too."""
        if not self._arrivals.running:
            await self._arrivals.start(self._number)
        self._heard = self._bells.strokes(Bell.WORK)
        self._looked = None

        def claim(tx: Transaction) -> list[Execution]:
            lease_until = boot_ms() + request.lease_ms
            claiming = Claiming(
                self._sql, self._number, request, now=self._wall_ms(), lease_until=lease_until
            )
            claimed = claiming.perform(tx)
            if len(claimed) < request.total:
                self._looked = Looked(claiming.exhausted, claiming.next_due)
            return claimed

        return await self._connections.write(claim, undo=self._give_back, durable=False)

    def _give_back(self, claimed: list[Execution]) -> Operation[None]:
        """Take back claims whose caller was cancelled before it heard of them."""

        def undo(tx: Transaction) -> None:
            if not claimed:
                return
            ids = batch([execution.id for execution in claimed])
            token = claimed[0].token  # one claim, one token
            tx.run(self._sql["give_back"], self._with(ids=ids, token=token, new_token=new_token()))
            tx.bells.add(Bell.WORK)

        return undo

    async def settle_many(self, settlements: Sequence[Settlement]) -> list[bool]:
        """See `ports.queue.Queue`."""
        if not settlements:
            return []
        settling = Settling(self._sql, self._number, settlements, self._wall_ms())
        return await self._connections.write(settling.perform)

    async def extend_many(self, claims: Sequence[Claim], lease_ms: int) -> Renewal:
        """See `ports.queue.Queue`."""
        if not claims:
            return Renewal()
        pairs = batch([[claim.execution_id, claim.token] for claim in claims])

        def extend(tx: Transaction) -> Renewal:
            count = tx.run(self._sql["extend"], self._with(claims=pairs, lease_until=boot_ms() + lease_ms))
            if count == len(claims):
                return Renewal()
            live = set(_read_claims(tx.one(self._sql["live_claims"], self._with(claims=pairs))))
            return Renewal(
                lost=tuple(c.execution_id for c in claims if (c.execution_id, c.token) not in live)
            )

        return await self._connections.write(extend, durable=False)

    async def take_expired(
        self, worker_id: str, lease_ms: int, limit: int, mine: Sequence[Claim] = ()
    ) -> list[Execution]:
        """See `ports.queue.Queue`."""
        own = batch([[claim.execution_id, claim.token] for claim in mine])
        overdue = self._with(now=boot_ms(), limit=limit, mine=own)
        if not read_numbers(await self._connections.read(self._sql["look_expired"], overdue)):
            return []

        def take(tx: Transaction) -> list[Execution]:
            now = boot_ms()
            seqs = tx.one(self._sql["look_expired"], self._with(now=now, limit=limit, mine=own))
            numbers = read_numbers(seqs)
            for seq in numbers:
                parameters = {"token": new_token(), "lease_until": now + lease_ms, "seqs": batch([seq])}
                tx.run(self._sql["take_over"], parameters)
            rows = read_rows(tx.one(self._sql["get_running"], {"seqs": seqs}))
            order = {seq: place for place, seq in enumerate(numbers)}
            return [row.execution() for row in sorted(rows, key=lambda row: order[row.seq])]

        return await self._connections.write(take, durable=False)

    async def wait_for_work(self, topics: Sequence[str], timeout_ms: int) -> None:
        """See `ports.queue.Queue`."""
        heard, self._heard = self._heard, self._bells.strokes(Bell.WORK)
        looked, self._looked = self._looked, None
        deadline = boot_ms() + timeout_ms
        names = batch(list(topics))
        while (left := deadline - boot_ms()) > 0:
            if looked is not None and looked.topics.issuperset(topics):
                waiting, due = (
                    False,
                    looked.next_due,
                )  # the claim just made has looked: no need to do it again
                looked = None
            else:
                found = await self._connections.read(self._sql["is_waiting"], self._with(topics=names))
                waiting, due, arrived = _read_waiting(found)
                if arrived:
                    self._arrivals.nudge()
            until_due = left if due is None else due - self._wall_ms()
            if waiting or until_due <= 0:
                return
            seconds = min(left, until_due) / 1000
            if await self._bells.wait(Bell.WORK, heard, min(seconds, LOOK_AGAIN_S)):
                return

    async def wait_for_cancels(self, claims: Sequence[Claim], timeout_ms: int) -> list[str]:
        """See `ports.queue.Queue`."""
        deadline = boot_ms() + timeout_ms
        pairs = batch([[claim.execution_id, claim.token] for claim in claims])
        while True:
            heard = self._bells.strokes(Bell.CANCEL)
            found = await self._connections.read(self._sql["asked_to_cancel"], self._with(claims=pairs))
            asked = read_texts(found)
            left = deadline - boot_ms()
            if asked or left <= 0:
                return asked
            await self._bells.wait(Bell.CANCEL, heard, min(left / 1000, LOOK_AGAIN_S))


def _new_row(new: NewExecution, now: int) -> list[Any]:
    delayed = new.delay_ms > 0
    return [
        new.id,
        "pending" if delayed else "queued",
        new.concept,
        new.target,
        new.topic,
        new.priority,
        new.max_attempts,
        new.triggered_by,
        now + new.delay_ms if delayed else None,
        new.correlation_id,
        new.idempotency_key,
        new.traceparent,
        new.tracestate,
        new.payload.decode(),
    ]
