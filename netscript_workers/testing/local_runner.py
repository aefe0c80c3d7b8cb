"""A runner for handlers that this process holds already."""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.domain.execution import Execution, LogLine, Progress
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode, Target
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import SlotReport


class LocalRunner:
    """Runs async handlers on this event loop and plain ones in its threads. Fulfils `ports.runner.Runner`."""

    def __init__(self, handlers: Mapping[str, Handler]) -> None:
        self._handlers = handlers
        self._running: dict[str, tuple[str, float]] = {}

    async def start(self) -> None:
        """Do nothing: the handlers are loaded."""

    async def stop(self, grace_ms: int) -> None:
        """Do nothing: the loop owns the threads."""

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt; see the port. A plain function that does not end when it is told to is left behind."""
        handler = self._handlers[execution.target]
        loop = asyncio.get_running_loop()
        reports = observer if handler.is_async else _FromThread(loop, observer)
        ctx = JobContext(
            execution=execution, max_attempts=target.max_attempts, deadline=deadline, observer=reports
        )
        self._running[execution.id] = (execution.target, time.monotonic())
        try:
            if handler.is_async:
                return await invoke_async(handler, ctx)
            return await asyncio.to_thread(invoke_sync, handler, ctx)
        except asyncio.CancelledError:
            ctx.mark_cancelled()
            raise
        finally:
            del self._running[execution.id]

    def slots(self) -> list[SlotReport]:
        """Tell what runs."""
        now = time.monotonic()
        return [
            SlotReport(
                mode=RunnerMode.IN_PROCESS.value,
                pid=os.getpid(),
                execution_id=execution_id,
                target=target,
                busy_ms=round((now - begun) * 1000),
            )
            for execution_id, (target, begun) in self._running.items()
        ]


class _FromThread:
    """Hands reports of a thread to an observer that lives on the loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, observer: RunObserver) -> None:
        self._loop = loop
        self._observer = observer

    def progress(self, progress: Progress) -> None:
        self._loop.call_soon_threadsafe(self._observer.progress, progress)

    def lines(self, lines: Sequence[LogLine]) -> None:
        self._loop.call_soon_threadsafe(self._observer.lines, lines)
