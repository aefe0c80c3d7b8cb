"""The operator's port over PostgreSQL."""

import secrets
from collections.abc import Sequence

import msgspec

from netscript_workers.domain.execution import Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.postgres.base import Base, new_token
from netscript_workers.engines.postgres.connection import LONG_BOUND_S
from netscript_workers.engines.postgres.rows import record_of, writable
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, SEEN_WITHIN_MS
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter

_read_info = msgspec.json.Decoder(WorkerInfo).decode


class PostgresAdmin(Base):
    """What an operator needs."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("cancel"),
            self._number,
            list(execution_ids),
            new_token(),
            CANCELLED_KEEP_MS,
            CANCELLED_ARCHIVE_MS,
            self._now(),
        )
        before = {row[0]: Status(row[1]) for row in rows}
        return [Cancelled(execution_id, before.get(execution_id)) for execution_id in execution_ids]

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("requeue"), self._number, list(execution_ids), new_token(), bound_s=LONG_BOUND_S
        )
        finished = {row[0] for row in rows}
        answers: list[bool] = []
        for execution_id in execution_ids:  # one named twice is not finished any more the second time
            answers.append(execution_id in finished)
            finished.discard(execution_id)
        return answers

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._connections.run(statement("pause"), self._number, topic)

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._connections.run(statement("resume"), self._number, topic)

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("count_depths"), self._number, self._now(), bound_s=LONG_BOUND_S
        )
        return [
            TopicDepth(
                topic=row[0],
                pending=row[1],
                queued=row[2],
                running=row[3],
                paused=row[4],
                oldest_age_ms=row[5],
            )
            for row in rows
        ]

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("find_dead"), self._number, *_chosen(which), limit, bound_s=LONG_BOUND_S
        )
        letters = [
            DeadLetter(id=row[0], execution=record_of(row), reason=row[16] or "", failed_at=row[14])
            for row in rows
        ]
        if which.target is None and which.topic is None:
            garbage = await self._connections.run(
                statement("read_garbage"), self._number, _ids(which), limit, bound_s=LONG_BOUND_S
            )
            letters += [
                DeadLetter(id=row[0], execution=None, reason=row[1], failed_at=row[2], raw=row[3])
                for row in garbage
            ]
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(statement("count_dead"), self._number, bound_s=LONG_BOUND_S)
        return int(rows[0][0])

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("requeue_dead"), self._number, *_chosen(which), new_token(), bound_s=LONG_BOUND_S
        )
        return int(rows[0][0])

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("purge_dead"), self._number, *_chosen(which), bound_s=LONG_BOUND_S
        )
        count = int(rows[0][0])
        if which.target is None and which.topic is None:
            gone = await self._connections.run(
                statement("purge_garbage"), self._number, _ids(which), bound_s=LONG_BOUND_S
            )
            count += int(gone[0][0])
        return count

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        garbage_id = f"garbage-{secrets.token_hex(8)}"
        await self._connections.run(
            statement("bury_raw"), self._number, garbage_id, writable(reason), raw, self._now()
        )
        return garbage_id

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        info = msgspec.json.encode(worker).decode()
        await self._connections.run(statement("announce"), self._number, worker.id, info, self._now())

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._connections.run(
            statement("forget"), self._number, worker_id, 10 * SEEN_WITHIN_MS, self._now()
        )

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        rows = await self._connections.run(
            statement("read_workers"), self._number, SEEN_WITHIN_MS, self._now()
        )
        return [msgspec.structs.replace(_read_info(row[0]), last_seen_at=row[1]) for row in rows]

    async def erase(self) -> None:
        """See `ports.erasable.Erasable`."""
        await self._connections.run(statement("erase"), self._number, bound_s=LONG_BOUND_S)


def _ids(which: DeadFilter) -> list[str] | None:
    return list(which.ids) if which.ids else None


def _chosen(which: DeadFilter) -> tuple[list[str] | None, str | None, str | None]:
    return _ids(which), which.target, which.topic
