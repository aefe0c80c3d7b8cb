"""Waiting for the end of an execution, with a progress bar where a person looks at it."""

import sys
import time
from typing import TYPE_CHECKING, Final

from netscript_workers.cli import render
from netscript_workers.domain.execution import FINISHED, Execution
from netscript_workers.errors import UnknownExecutionError, WaitTimeoutError

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from netscript_workers.ports.engine import Engine

_LOOK_EVERY_MS: Final = 200
_QUIET_LOOK_EVERY_MS: Final = 10_000
_PATIENCE_MS: Final = 3_000


async def wait_for(engine: "Engine", execution_id: str, timeout_ms: int | None) -> Execution:
    """Return the record once it is finished; raises `WaitTimeoutError` after `timeout_ms` (None: no bound).

    Says on stderr when nobody serves the topic, since the wait would then be without end.
    """
    watch = _Watch(engine, execution_id, timeout_ms)
    if not render.has_colour(sys.stderr):
        return await watch.quietly()
    return await watch.on_a_terminal()


class _Watch:
    """One wait: the deadline, and whether the missing worker has been mentioned."""

    def __init__(self, engine: "Engine", execution_id: str, timeout_ms: int | None) -> None:
        self._engine = engine
        self._id = execution_id
        self._started = time.monotonic()
        self._timeout_ms = timeout_ms
        self._warned = False

    async def quietly(self) -> Execution:
        """Wait without a word."""
        while True:
            execution = await self._step(_QUIET_LOOK_EVERY_MS if self._warned else _PATIENCE_MS)
            if execution.status in FINISHED:
                return execution

    async def on_a_terminal(self) -> Execution:
        """Wait behind a progress bar that shows what the run reports."""
        from rich.console import Console
        from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[message]}"),
            TimeElapsedColumn(),
        )
        with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
            shown = bar.add_task("queued", total=None, message="")
            while True:
                execution = await self._step(_LOOK_EVERY_MS)
                if execution.status in FINISHED:
                    return execution
                _show(bar, shown, execution)

    async def _step(self, longest_ms: int) -> Execution:
        left = None if self._timeout_ms is None else self._timeout_ms - self._passed_ms()
        if left is not None and left <= 0:
            raise WaitTimeoutError(
                f"execution {self._id} had not ended after {render.span(self._timeout_ms)}; it goes on. "
                f"Look again with: workers show {self._id}"
            )
        ended = await self._engine.wait_for_end(
            [self._id], longest_ms if left is None else min(left, longest_ms)
        )
        if ended:
            return ended[0]
        (execution,) = await self._engine.get_many([self._id])
        if execution is None:
            raise UnknownExecutionError(
                f"execution {self._id} is gone: somebody purged it while this waited."
            )
        await self._mention_a_missing_worker(execution)
        return execution

    async def _mention_a_missing_worker(self, execution: Execution) -> None:
        if self._warned or self._passed_ms() < _PATIENCE_MS:
            return
        self._warned = True
        workers = await self._engine.workers()
        if not any(not worker.topics or execution.topic in worker.topics for worker in workers):
            render.note(
                f"No worker serves the topic {execution.topic} at the moment. Start one with: workers combined"
            )

    def _passed_ms(self) -> int:
        return int((time.monotonic() - self._started) * 1000)


def _show(bar: "Progress", shown: "TaskID", execution: Execution) -> None:
    progress = execution.progress
    attempt = f" (attempt {execution.attempt})" if execution.attempt > 1 else ""
    bar.update(
        shown,
        description=f"{execution.target} {execution.status.value}{attempt}",
        total=None if progress is None else 100,
        completed=0 if progress is None else progress.percent,
        message=(progress.message or "") if progress else "",
    )
