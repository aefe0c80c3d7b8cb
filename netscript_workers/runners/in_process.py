"""The mode `in-process`: handlers run on the daemon's own event loop, plain functions in threads.

The fastest mode and the least isolated: a handler can take the daemon down with it, and one that does not end
when it is told to cannot be ended, only abandoned.
"""

import asyncio
import contextvars
import logging
import os
import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.authoring.loading import HandlerRef, forget_modules
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import RunnerMode, Target
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import SlotReport
from netscript_workers.runners.handler_threads import HandlerThread, HandlerThreads
from netscript_workers.runners.handlers import Handlers
from netscript_workers.runners.loop_observer import LoopObserver
from netscript_workers.runners.print_capture import PrintCapture, RunOutput
from netscript_workers.runners.slot_runner import stopped_by_itself

STOP_GRACE_MS: Final = 500

_log = logging.getLogger(__name__)


class InProcessRunner:
    """Runs attempts right here. `root` is the jobs directory.

    What must end gets its task cancelled (again half way through the grace, when it swallows that); a plain
    function learns of it by `ctx.cancelled`. What goes on all the same is abandoned: reported once, loudly,
    and shown by `slots` until it ends.
    """

    def __init__(self, handlers: Sequence[HandlerRef], root: str) -> None:
        self._handlers = Handlers(handlers, root)
        self._threads = HandlerThreads()
        self._capture = PrintCapture()
        self._runs: set[_Run] = set()
        self.errors: dict[str, str] = {}

    async def start(self) -> None:
        """Import the job modules (on this thread: other work waits) and begin to capture what handlers print."""
        self.errors = self._handlers.load_all()
        self._capture.install()

    def import_anew(self, handlers: Sequence[HandlerRef], root: str) -> Handlers:
        """Import the job modules of the directory `root` anew, and return their handlers for `renew`.

        On this thread, as `start` does, so other work waits. Runs under way keep the code they began with.
        """
        forget_modules(root)
        fresh = Handlers(handlers, root)
        fresh.load_all()
        return fresh

    def renew(self, handlers: Handlers) -> None:
        """Give the runs that begin from now on their handlers from `handlers`."""
        self._handlers = handlers

    async def stop(self, grace_ms: int) -> None:
        """End the threads that are idle, and put stdout and stderr back."""
        self._threads.stop(grace_ms / 1000)
        self._capture.remove()

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt on this loop or in a thread; see the port."""
        handler = self._handlers.get(execution.target)
        if handler is None:
            return self._handlers.missing(execution.target)
        loop = asyncio.get_running_loop()
        run = _Run(loop, execution, target, deadline, observer)
        self._runs.add(run)
        if handler.is_async:
            run.task = loop.create_task(self._go(handler, run))
        else:
            self._start_thread(handler, run, loop)
        ended = run.ended
        try:
            outcome = await ended
        except asyncio.CancelledError:
            if not ended.done() or ended.cancelled():
                await self._end_run(run)
                raise
            outcome = ended.result()  # it had ended before it was to be stopped: what it reported counts
        return stopped_by_itself() if outcome is None else outcome

    def slots(self) -> list[SlotReport]:
        """Tell what runs, and what was abandoned and still does."""
        now = time.monotonic()
        return [
            SlotReport(
                mode=RunnerMode.IN_PROCESS.value
                if not run.is_abandoned
                else f"{RunnerMode.IN_PROCESS} (abandoned)",
                pid=os.getpid(),
                execution_id=run.execution.id,
                target=run.execution.target,
                busy_ms=round((now - run.started_at) * 1000),
            )
            for run in self._runs
        ]

    async def _go(self, handler: Handler, run: "_Run") -> None:
        """Be the task of an async handler: its own, so that it can be cancelled and, if need be, left behind."""
        outcome: Outcome | None = None
        self._capture.current.set(run.output)
        try:
            outcome = await invoke_async(handler, run.context)
        finally:
            self._finish(run, outcome)

    def _start_thread(self, handler: Handler, run: "_Run", loop: asyncio.AbstractEventLoop) -> None:
        def work() -> None:
            context = contextvars.copy_context()
            outcome = context.run(self._call, handler, run)
            try:
                loop.call_soon_threadsafe(partial(self._thread_finished, run, outcome))
            except RuntimeError:
                _log.warning("the abandoned run %s ended after the daemon", run.execution.id)

        run.thread = self._threads.start(work)

    def _call(self, handler: Handler, run: "_Run") -> Outcome | None:
        self._capture.current.set(run.output)
        try:
            return invoke_sync(handler, run.context)
        except asyncio.CancelledError:
            return None

    def _thread_finished(self, run: "_Run", outcome: Outcome | None) -> None:
        if run.thread is not None:
            self._threads.finished(run.thread)
        self._finish(run, outcome)

    def _finish(self, run: "_Run", outcome: Outcome | None) -> None:
        self._runs.discard(run)
        if run.is_abandoned:
            _log.warning(
                "the abandoned run %s of %s has ended after all", run.execution.id, run.execution.target
            )
            return
        run.output.finish()
        run.observer.close()
        if not run.ended.done():
            run.ended.set_result(outcome)

    async def _end_run(self, run: "_Run") -> None:
        """End the run under way; abandons it when it has not ended within the grace, or at a second cancellation."""
        ended = run.ended = asyncio.get_running_loop().create_future()
        if run not in self._runs:
            return
        run.context.mark_cancelled()
        try:
            for _ in range(2):
                if run.task is not None:
                    run.task.cancel()
                await asyncio.wait({ended}, timeout=STOP_GRACE_MS / 2000)
                if ended.done():
                    return
        finally:
            if run in self._runs:
                self._abandon(run)

    def _abandon(self, run: "_Run") -> None:
        run.is_abandoned = True
        run.observer.close()
        if run.thread is not None:
            self._threads.abandon(run.thread)
            kind = "a plain function, which looks at ctx.cancelled or never ends"
        else:
            kind = "an async function that swallows its cancellation"
        _log.error(
            "the run %s of %s must end and does not (%s): it is abandoned and goes on inside this process; "
            'give the job runtime = "web-worker" or "subprocess", where it would have been killed',
            run.execution.id,
            run.execution.target,
            kind,
        )


class _Run:
    """One run under way."""

    __slots__ = (
        "context",
        "ended",
        "execution",
        "is_abandoned",
        "observer",
        "output",
        "started_at",
        "task",
        "thread",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        execution: Execution,
        target: Target,
        deadline: int,
        observer: RunObserver,
    ) -> None:
        self.execution = execution
        self.started_at = time.monotonic()
        self.observer = LoopObserver(loop, observer)
        self.output = RunOutput(self.observer)
        self.context = JobContext(
            execution=execution, max_attempts=target.max_attempts, deadline=deadline, observer=self.observer
        )
        self.ended: asyncio.Future[Outcome | None] = loop.create_future()
        self.task: asyncio.Task[None] | None = None
        self.thread: HandlerThread | None = None
        self.is_abandoned = False
