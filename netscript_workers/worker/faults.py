"""Tasks that must not end by themselves: when one does, the daemon hears of it at once instead of limping on."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("netscript_workers.worker")


class Faults:
    """Starts the long-lived tasks of a worker and holds the first fault among them."""

    def __init__(self) -> None:
        """Begin without a fault."""
        self._fault: BaseException | None = None
        self._raised = asyncio.Event()

    @property
    def fault(self) -> BaseException | None:
        """Return the first fault, None while all is well."""
        return self._fault

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        """Run `work` as a task; an exception out of it is a fault of the worker."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        task.add_done_callback(self._ended)
        return task

    async def wait(self) -> BaseException:
        """Return the first fault when there is one."""
        await self._raised.wait()
        if self._fault is None:
            raise AssertionError("woken without a fault")
        return self._fault

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled():
            return
        error = task.exception()
        if error is None:
            return
        log.critical("a fault of our own in %s; the worker stops", task.get_name(), exc_info=error)
        self._note(error)

    def report(self, error: BaseException) -> None:
        """Note what keeps the worker from running anything; the first one is said, and stops it."""
        if self._fault is None:
            log.critical("this worker can run nothing and stops: %s", error)
        self._note(error)

    def _note(self, error: BaseException) -> None:
        if self._fault is None:
            self._fault = error
            self._raised.set()


async def end(task: asyncio.Task[None] | None, grace_ms: int = 5_000) -> None:
    """Cancel a task made by `Faults.spawn` and wait for its end, at most `grace_ms`; says so when that is not enough."""
    if task is None or task.done():
        return
    task.cancel()
    _, late = await asyncio.wait([task], timeout=grace_ms / 1000)
    if late:
        log.error(
            "%s did not end within %d ms of being cancelled; it is abandoned", task.get_name(), grace_ms
        )
