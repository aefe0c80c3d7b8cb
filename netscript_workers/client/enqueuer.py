"""Gathers the enqueues of many concurrent callers: while one batch is on its way, the next one fills."""

import asyncio
from typing import Final

from netscript_workers.domain.execution import Enqueued, NewExecution
from netscript_workers.ports.queue import Queue

BATCH: Final = 1_000


class Enqueuer:
    """One call of the queue at a time; without load a request goes out at once, under load the batches grow."""

    def __init__(self, queue: Queue) -> None:
        self._queue = queue
        self._waiting: list[tuple[NewExecution, asyncio.Future[Enqueued]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, request: NewExecution) -> Enqueued:
        """Enqueue one; raises what the queue raises. A caller that is cancelled may have enqueued all the same."""
        future: asyncio.Future[Enqueued] = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._task is None:
            self._task = asyncio.create_task(self._send_all(), name="enqueue")
        return await future

    async def put_many(self, requests: list[NewExecution]) -> list[Enqueued]:
        """Enqueue many, in calls of at most `BATCH`; when one call fails, those before it stand."""
        answers: list[Enqueued] = []
        for start in range(0, len(requests), BATCH):
            answers += await self._queue.enqueue_many(requests[start : start + BATCH])
        return answers

    async def close(self) -> None:
        """Let what is on its way arrive."""
        if self._task is not None:
            await asyncio.wait({self._task})

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[:BATCH], self._waiting[BATCH:]
                await self._send(batch)
        finally:
            self._task = None
            for _, future in self._waiting:  # only when this task itself was cancelled
                future.cancel()
            self._waiting.clear()

    async def _send(self, batch: list[tuple[NewExecution, asyncio.Future[Enqueued]]]) -> None:
        try:
            answers = await self._queue.enqueue_many([request for request, _ in batch])
        except BaseException as error:
            for _, future in batch:
                if not future.done():
                    if isinstance(error, asyncio.CancelledError):
                        future.cancel()
                    else:
                        future.set_exception(error)
            if not isinstance(error, Exception):
                raise
            return
        for (_, future), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
