"""The operator's port over Redis."""

import secrets
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from netscript_workers.domain.execution import Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.redis.base import Base
from netscript_workers.engines.redis.records import encode, long, read_execution, words, writable
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
        letters = [
            DeadLetter(id=one.id, execution=one, reason=one.error or "", failed_at=one.completed_at or 0)
            for one in map(read_execution, await self._find_dead(which, limit))
        ]
        letters += [
            DeadLetter(id=name.decode(), execution=None, reason=reason.decode(), failed_at=failed_at, raw=raw)
            for name, failed_at, reason, raw in await self._find_garbage(which, limit)
        ]
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    async def _find_dead(self, which: DeadFilter, limit: int | None, *, only_ids: bool = False) -> list[Any]:
        """Return records, or short ids, a stretch at a time: other commands pass between."""
        found: list[Any] = []
        if which.ids:
            for ids in _batches(which.ids):
                found += await self._run("find_dead_ids", (which.target, which.topic, words(ids)))
            return found
        place = 0
        while place >= 0 and (limit is None or len(found) < limit):
            room = _BATCH if limit is None else min(_BATCH, limit - len(found))
            given = (which.target, which.topic, room, place, only_ids)
            place, more = await self._run("find_dead", given)
            found += more
        return found

    async def _find_garbage(
        self, which: DeadFilter, limit: int | None, *, only_ids: bool = False
    ) -> list[Any]:
        """Return what fits `which`, a stretch at a time; garbage has neither target nor topic."""
        if which.target is not None or which.topic is not None:
            return []
        wanted = set(which.ids)
        found: list[Any] = []
        place = 0
        while limit is None or len(found) < limit:
            room = _BATCH if limit is None or wanted else min(_BATCH, limit - len(found))
            more = await self._run("find_garbage", (room, place, only_ids))
            found += [one for one in more if not wanted or one[0].decode() in wanted]
            place += room
            if len(more) < room:
                break
        return found

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._run("count_dead", None)

    async def _dead_ids(self, which: DeadFilter) -> list[str]:
        if which.ids:
            return [read_execution(record).id for record in await self._find_dead(which, None)]
        return [long(one) for one in await self._find_dead(which, None, only_ids=True)]

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return sum(await self.retry_many(await self._dead_ids(which)))

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        count = 0
        for ids in _batches(await self._dead_ids(which)):
            count += await self._run("purge_dead", (words(ids), []))
        garbage = [one[0].decode() for one in await self._find_garbage(which, None, only_ids=True)]
        for ids in _batches(garbage):
            count += await self._run("purge_dead", ([], ids))
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
