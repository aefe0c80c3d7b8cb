"""The operator's port, in memory."""

import secrets
from collections.abc import Sequence

import msgspec

from netscript_workers.domain.execution import DEAD, FINISHED, Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.memory.store import Entry, Store
from netscript_workers.ports.promises import SEEN_WITHIN_MS
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter


class MemoryAdmin:
    """What an operator needs, over a `Store`."""

    def __init__(self, store: Store) -> None:
        """Serve from `store`."""
        self._store = store

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`."""
        return [self._cancel(execution_id) for execution_id in execution_ids]

    def _cancel(self, execution_id: str) -> Cancelled:
        store = self._store
        entry = store.entries.get(execution_id)
        if entry is None:
            return Cancelled(execution_id, None)
        before = entry.record.status
        if before is Status.RUNNING:
            entry.cancel_asked = True
            store.cancels.ring()
        elif before not in FINISHED:
            store.cancel(entry)
            store.ends.ring()
        return Cancelled(execution_id, before)

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""
        answers: list[bool] = []
        for execution_id in execution_ids:
            entry = self._store.entries.get(execution_id)
            finished = entry is not None and entry.record.status in FINISHED
            if entry is not None and finished:
                self._store.requeue(entry)
            answers.append(finished)
        if any(answers):
            self._store.work.ring()
        return answers

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        self._store.paused.add(topic)

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        self._store.paused.discard(topic)
        self._store.work.ring()

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        waiting = [e.record for e in self._store.entries.values() if e.record.status not in FINISHED]
        now = self._store.wall_ms()
        depths: list[TopicDepth] = []
        for topic in sorted({record.topic for record in waiting} | self._store.paused):
            mine = [record for record in waiting if record.topic == topic]
            oldest = next((record for record in mine if record.status is Status.QUEUED), None)
            depths.append(
                TopicDepth(
                    topic=topic,
                    pending=sum(record.status is Status.PENDING for record in mine),
                    queued=sum(record.status is Status.QUEUED for record in mine),
                    running=sum(record.status is Status.RUNNING for record in mine),
                    paused=topic in self._store.paused,
                    oldest_age_ms=max(0, now - oldest.triggered_at) if oldest is not None else None,
                )
            )
        return depths

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        letters = [_letter(entry) for entry in self._dead(which)]
        letters += [self._store.garbage[garbage_id] for garbage_id in self._garbage(which)]
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return len(self._dead(DeadFilter())) + len(self._store.garbage)

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        dead = self._dead(which)
        for entry in dead:
            self._store.requeue(entry)
        if dead:
            self._store.work.ring()
        return len(dead)

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        dead, garbage = self._dead(which), self._garbage(which)
        for entry in dead:
            self._store.remove(entry)
        for garbage_id in garbage:
            del self._store.garbage[garbage_id]
        return len(dead) + len(garbage)

    def _dead(self, which: DeadFilter) -> list[Entry]:
        dead = [entry for entry in self._store.finished() if entry.record.status in DEAD]
        dead.sort(key=lambda entry: (entry.record.completed_at or 0, entry.place), reverse=True)
        return [
            entry
            for entry in dead
            if (not which.ids or entry.record.id in which.ids)
            and which.target in (None, entry.record.target)
            and which.topic in (None, entry.record.topic)
        ]

    def _garbage(self, which: DeadFilter) -> list[str]:
        if which.target is not None or which.topic is not None:
            return []
        return [garbage_id for garbage_id in self._store.garbage if not which.ids or garbage_id in which.ids]

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        garbage_id = f"garbage-{secrets.token_hex(8)}"
        self._store.garbage[garbage_id] = DeadLetter(
            id=garbage_id, execution=None, reason=reason, failed_at=self._store.wall_ms(), raw=raw
        )
        return garbage_id

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        self._store.workers[worker.id] = msgspec.structs.replace(worker, last_seen_at=self._store.wall_ms())

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        self._store.workers.pop(worker_id, None)

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        since = self._store.wall_ms() - SEEN_WITHIN_MS
        seen = [worker for worker in self._store.workers.values() if worker.last_seen_at >= since]
        return sorted(seen, key=lambda worker: worker.id)


def _letter(entry: Entry) -> DeadLetter:
    record = entry.record
    return DeadLetter(
        id=record.id, execution=record, reason=record.error or "", failed_at=record.completed_at or 0
    )
