"""The operator's port over the file."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from netscript_workers.domain.execution import Status
from netscript_workers.domain.overview import DeadLetter, TopicDepth, WorkerInfo
from netscript_workers.engines.deno_kv.base import Base, new_token
from netscript_workers.engines.deno_kv.bells import Bell
from netscript_workers.engines.deno_kv.garbage import bury, kept_since
from netscript_workers.engines.deno_kv.rows import batch, read_rows, read_texts
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.engines.deno_kv.undelivered import Undelivered
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, SEEN_WITHIN_MS
from netscript_workers.ports.queue_admin import Cancelled, DeadFilter

_NO_LIMIT: Final = -1
_read_statuses = msgspec.json.Decoder(list[tuple[str, Status]]).decode
_read_depths = msgspec.json.Decoder(list[tuple[str, int, int, int, int, int | None]]).decode
_read_garbage = msgspec.json.Decoder(list[tuple[str, str, int, str]]).decode
_read_workers = msgspec.json.Decoder(list[tuple[str, int]]).decode
_read_info = msgspec.json.Decoder(WorkerInfo).decode


class DenoKvAdmin(Base):
    """What an operator needs."""

    async def cancel_many(self, execution_ids: Sequence[str]) -> list[Cancelled]:
        """See `ports.queue_admin.QueueAdmin`."""
        ids = batch(list(execution_ids))

        def cancel(tx: Transaction) -> list[Cancelled]:
            before = dict(_read_statuses(tx.one(self._sql["statuses"], self._with(ids=ids))))
            now = self._wall_ms()
            archive_at = now + CANCELLED_KEEP_MS
            tx.run(
                self._sql["cancel"],
                self._with(
                    ids=ids,
                    now=now,
                    archive_at=archive_at,
                    delete_at=archive_at + CANCELLED_ARCHIVE_MS,
                    token=new_token(),
                ),
            )
            tx.run(self._sql["ask_to_cancel"], self._with(ids=ids))
            Undelivered(self._sql, self._number).end(tx, execution_ids)
            tx.bells |= {Bell.CANCEL, Bell.SETTLED}
            return [Cancelled(execution_id, before.get(execution_id)) for execution_id in execution_ids]

        return await self._connections.write(cancel)

    async def retry_many(self, execution_ids: Sequence[str]) -> list[bool]:
        """See `ports.queue_admin.QueueAdmin`."""

        def retry(tx: Transaction) -> list[bool]:
            ids = batch(list(execution_ids))
            finished = set(read_texts(tx.one(self._sql["finished_of"], self._with(ids=ids))))
            self._requeue(tx, sorted(finished))
            answers: list[bool] = []
            for execution_id in execution_ids:  # one named twice is not finished any more the second time
                answers.append(execution_id in finished)
                finished.discard(execution_id)
            return answers

        return await self._connections.write(retry)

    def _requeue(self, tx: Transaction, execution_ids: list[str]) -> None:
        if not execution_ids:
            return
        ids = batch(execution_ids)
        tx.run(self._sql["restore"], self._with(ids=ids))
        tx.run(self._sql["unarchive"], self._with(ids=ids))
        tx.run(self._sql["keep_success"], self._with(ids=ids))
        tx.run(self._sql["requeue"], self._with(ids=ids, token=new_token()))
        tx.bells.add(Bell.WORK)

    async def pause(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        await self._connections.write(lambda tx: tx.run(self._sql["pause"], self._with(topic=topic)))

    async def resume(self, topic: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""

        def resume(tx: Transaction) -> None:
            tx.run(self._sql["resume"], self._with(topic=topic))
            tx.bells.add(Bell.WORK)

        await self._connections.write(resume)

    async def depths(self) -> list[TopicDepth]:
        """See `ports.queue_admin.QueueAdmin`."""
        now = self._wall_ms()
        found = await self._connections.read(self._sql["count_depths"], self._with())
        return [
            TopicDepth(
                topic=topic,
                pending=pending,
                queued=queued,
                running=running,
                paused=bool(paused),
                oldest_age_ms=None if oldest is None else max(0, now - oldest),
            )
            for topic, pending, queued, running, paused, oldest in _read_depths(found)
        ]

    async def dead_letters(self, which: DeadFilter, limit: int | None) -> list[DeadLetter]:
        """See `ports.queue_admin.QueueAdmin`."""
        most = _NO_LIMIT if limit is None else limit
        ids = await self._connections.read(self._sql["find_dead"], self._dead(which, most))
        rows = read_rows(await self._connections.read(self._sql["get"], self._with(ids=ids)))
        order = {execution_id: place for place, execution_id in enumerate(read_texts(ids))}
        rows.sort(key=lambda row: order[row.id])
        letters = [
            DeadLetter(
                id=row.id,
                execution=row.execution(),
                reason=row.error or "",
                failed_at=row.completed_at or 0,
            )
            for row in rows
        ]
        if which.target is None and which.topic is None:
            found = await self._connections.read(
                self._sql["read_garbage"],
                self._with(ids=_ids(which), limit=most, kept_since=kept_since(self._wall_ms())),
            )
            letters += [
                DeadLetter(
                    id=garbage_id, execution=None, reason=reason, failed_at=failed_at, raw=bytes.fromhex(raw)
                )
                for garbage_id, reason, failed_at, raw in _read_garbage(found)
            ]
        letters.sort(key=lambda letter: letter.failed_at, reverse=True)
        return letters[:limit]

    def _dead(self, which: DeadFilter, limit: int) -> dict[str, Any]:
        return self._with(target=which.target, topic=which.topic, ids=_ids(which), limit=limit)

    async def count_dead(self) -> int:
        """See `ports.queue_admin.QueueAdmin`."""
        return await self._connections.read(
            self._sql["count_dead"], self._with(kept_since=kept_since(self._wall_ms()))
        )

    async def requeue_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""

        def requeue(tx: Transaction) -> int:
            ids = read_texts(tx.one(self._sql["find_dead"], self._dead(which, _NO_LIMIT)))
            self._requeue(tx, ids)
            return len(ids)

        return await self._connections.write(requeue)

    async def purge_dead(self, which: DeadFilter) -> int:
        """See `ports.queue_admin.QueueAdmin`."""

        def purge(tx: Transaction) -> int:
            ids = tx.one(self._sql["find_dead"], self._dead(which, _NO_LIMIT))
            for verb in ("purge_attempts", "purge_lines", "purge_live", "unarchive"):
                tx.run(self._sql[verb], self._with(ids=ids))
            count = len(read_texts(ids))
            if which.target is None and which.topic is None:
                tx.run(self._sql["drop_garbage"], self._with(kept_since=kept_since(self._wall_ms())))
                count += tx.run(self._sql["purge_garbage"], self._with(ids=_ids(which)))
            return count

        return await self._connections.write(purge)

    async def bury_raw(self, raw: bytes, reason: str) -> str:
        """See `ports.queue_admin.QueueAdmin`."""
        now = self._wall_ms()
        return await self._connections.write(
            lambda tx: bury(tx, self._sql, self._number, raw, reason, now),
        )

    async def announce(self, worker: WorkerInfo) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        parameters = self._with(id=worker.id, now=self._wall_ms(), info=msgspec.json.encode(worker).decode())
        await self._connections.write(lambda tx: tx.run(self._sql["announce"], parameters), durable=False)

    async def forget(self, worker_id: str) -> None:
        """See `ports.queue_admin.QueueAdmin`."""
        silent_since = self._wall_ms() - 10 * SEEN_WITHIN_MS
        parameters = self._with(id=worker_id, silent_since=silent_since)
        await self._connections.write(lambda tx: tx.run(self._sql["forget"], parameters), durable=False)

    async def workers(self) -> list[WorkerInfo]:
        """See `ports.queue_admin.QueueAdmin`."""
        since = self._wall_ms() - SEEN_WITHIN_MS
        found = await self._connections.read(self._sql["read_workers"], self._with(since=since))
        return [
            msgspec.structs.replace(_read_info(info), last_seen_at=seen)
            for info, seen in _read_workers(found)
        ]


def _ids(which: DeadFilter) -> str | None:
    return batch(list(which.ids)) if which.ids else None
