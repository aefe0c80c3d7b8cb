"""The operator's port over Redis."""

import secrets
from collections.abc import Sequence
from typing import Final

import msgspec

from netscript_workers.domain.execution import Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.redis.base import Base
from netscript_workers.engines.redis.records import encode, read_execution, words, writable
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, SEEN_WITHIN_MS
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter

_BATCH: Final = 500
_read_worker = msgspec.msgpack.Decoder(WorkerInfo).decode


class RedisAdmin(Base):
    """What an operator needs."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`."""
        answers: list[Cancelled] = []
        for ids in _batches(execution_ids):
            found = await self._run("cancel", (CANCELLED_KEEP_MS, CANCELLED_ARCHIVE_MS, words(ids)))
            answers += [
                Cancelled(execution_id, None if status is None else Status(status.decode()))
                for execution_id, status in zip(ids, found, strict=True)
            ]
        return answers

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""
        answers: list[bool] = []
        for ids in _batches(execution_ids):
            answers += [answer == 1 for answer in await self._run("requeue", words(ids))]
        return answers

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._run("pause", (topic, True))

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._run("pause", (topic, False))

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        now, *rows = await self._run("depths", None)
        found = [
            TopicDepth(
                topic=topic.decode(),
                pending=pending,
                queued=queued,
                running=running,
                paused=bool(paused),
                oldest_age_ms=None if oldest < 0 else max(0, now - oldest),
            )
            for topic, pending, queued, running, paused, oldest in rows
        ]
        return sorted(found, key=lambda depth: depth.topic)

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        ids = words(which.ids) or None
        records, *garbage = await self._run("find_dead", (which.target, which.topic, ids, limit))
        letters = [
            DeadLetter(id=one.id, execution=one, reason=one.error or "", failed_at=one.completed_at or 0)
            for one in map(read_execution, records)
        ]
        letters += [
            DeadLetter(id=name.decode(), execution=None, reason=reason.decode(), failed_at=failed_at, raw=raw)
            for name, failed_at, reason, raw in garbage
        ]
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        dead = await self._server.call("ZCARD", f"{self._root}:dead")
        return dead + await self._server.call("ZCARD", f"{self._root}:garbage")

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        dead = [letter.id for letter in await self.dead_letters(which, None) if letter.execution is not None]
        return sum(await self.retry_many(dead))

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        letters = await self.dead_letters(which, None)
        count = 0
        for start in range(0, len(letters), _BATCH):
            piece = letters[start : start + _BATCH]
            count += await self._run(
                "purge_dead",
                (
                    words(letter.id for letter in piece if letter.execution is not None),
                    [letter.id for letter in piece if letter.execution is None],
                ),
            )
        return count

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        garbage_id = f"garbage-{secrets.token_hex(8)}"
        await self._run("bury_raw", (garbage_id, writable(reason)), raw)
        return garbage_id

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._run("announce", (worker.id, 10 * SEEN_WITHIN_MS), encode(worker))

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._server.call("HDEL", f"{self._root}:workers", worker_id)

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        seen = [
            msgspec.structs.replace(_read_worker(info), last_seen_at=at)
            for at, info in await self._run("workers", (SEEN_WITHIN_MS,))
        ]
        return sorted(seen, key=lambda worker: worker.id)


def _batches(execution_ids: Sequence[str]) -> list[list[str]]:
    ids = list(execution_ids)
    return [ids[start : start + _BATCH] for start in range(0, len(ids), _BATCH)]
