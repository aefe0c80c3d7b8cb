"""Gathers the enqueues of many concurrent callers: while one batch is on its way, the next one fills."""

import asyncio
from typing import Final

from netscript_workers.domain.execution import Enqueued, NewExecution
from netscript_workers.errors import KeyHeldError
from netscript_workers.ports.queue import Queue

BATCH: Final = 1_000


class Enqueuer:
    """Without load a request goes out at once, under load the batches grow.

    What has an idempotency key goes out apart from what has none: it may have to wait for a transaction that holds its key.
    """

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._plain = _Pipeline(queue)
        self._keyed = _Pipeline(queue)

    async def put(self, request: NewExecution) -> Enqueued:
        """Enqueue one; raises what the queue raises. A caller that is cancelled may have enqueued all the same."""
        pipeline = self._plain if request.idempotency_key is None else self._keyed
        return await pipeline.put(request)

    async def put_many(self, requests: list[NewExecution]) -> list[Enqueued]:
        """Enqueue many, in calls of at most `BATCH`; when one call fails, those before it stand."""
        answers: list[Enqueued] = []
        for start in range(0, len(requests), BATCH):
            answers += await self._queue.enqueue_many(requests[start : start + BATCH])
        return answers

    async def close(self) -> None:
        """Let what is on its way arrive."""
        await self._plain.close()
        await self._keyed.close()


class _Pipeline:
    """One call of the queue at a time."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: list[tuple[NewExecution, asyncio.Future[Enqueued]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, request: NewExecution) -> Enqueued:
        future: asyncio.Future[Enqueued] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="enqueue")
        return await future

    async def close(self) -> None:
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                while batch:
                    batch = await self._send(batch)
        finally:
            self._task = None
            for _, future in self._waiting:  # only when this task itself was cancelled
                future.cancel()
            self._waiting.clear()

    async def _send(
        self, batch: list[tuple[NewExecution, asyncio.Future[Enqueued]]]
    ) -> list[tuple[NewExecution, asyncio.Future[Enqueued]]]:
        """Send `batch` and tell its callers; returns what is to be sent again, without the key that was held."""
        try:
            answers = await self._queue.enqueue_many([request for request, _ in batch])
        except KeyHeldError as error:
            held = [
                (request, future)
                for request, future in batch
                if (request.target, request.idempotency_key) == (error.target, error.key)
            ]
            _fail(held or batch, error)
            return [one for one in batch if one not in held] if held else []
        except BaseException as error:
            _fail(batch, error)
            if not isinstance(error, Exception):
                raise
            return []
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
        return []


def _fail(batch: list[tuple[NewExecution, asyncio.Future[Enqueued]]], error: BaseException) -> None:
    for _, future in batch:
        if not future.done():
            if isinstance(error, asyncio.CancelledError):
                future.cancel()
            else:
                future.set_exception(error)
