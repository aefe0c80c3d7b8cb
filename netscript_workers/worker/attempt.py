"""One attempt: find the target, run it, decide what its outcome means, hand the settlement over."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Final

import msgspec

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.retry import RetryPolicy, policy_of
from netscript_workers.domain.settlement import Action, Retain, Settlement, decide
from netscript_workers.domain.target import Mode, Target
from netscript_workers.errors import SlotError
from netscript_workers.ports.clock import Clock
from netscript_workers.ports.history import JournalEntry
from netscript_workers.ports.runner import ChainingRunner, Runner
from netscript_workers.worker.reports import RunReports

STOP_BOUND_MS: Final = 10_000
_DAY_MS: Final = 86_400_000
_NO_RETRY: Final = RetryPolicy(max_attempts=1)

log = logging.getLogger("netscript_workers.worker")


class Stop(StrEnum):
    """Why a run is ended before its own end."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    LOST = "lost lease"


class Workshop(msgspec.Struct, frozen=True, kw_only=True):
    """What every attempt of a worker needs: the targets, the runners, and where its reports and its settlement go.

    `chaining` are those of the runners whose slots can be handed runs ahead. `fault` is told of what keeps this worker from
    running anything.
    `settle` takes the settlement (None for a lost lease: nothing may be written) with a last journal entry, `report` is told
    that an attempt has something to write on its way, `ended` that its slot is free.
    """

    targets: Mapping[str, Target]
    runners: Mapping[Mode, Runner]
    chaining: Mapping[Mode, ChainingRunner]
    clock: Clock
    settle: Callable[[Settlement, JournalEntry | None], None]
    report: Callable[["Attempt"], None]
    ended: Callable[["Attempt", Settlement | None], None]
    nearest: Callable[[str], Sequence[str]]
    fault: Callable[[BaseException], None]


class Attempt(RunReports):
    """One attempt of one execution; also the observer of its run.

    Owned by the worker's service, which starts it at most once and may stop it at any time.
    """

    __slots__ = (
        "_begun",
        "_bound",
        "_deadline",
        "_finished",
        "_loop",
        "_task",
        "started",
        "started_at",
        "stop_reason",
        "target",
        "workshop",
    )

    def __init__(self, execution: Execution, workshop: Workshop) -> None:
        """Prepare the attempt; nothing runs yet."""
        super().__init__(execution)
        self.workshop = workshop
        self.target = workshop.targets.get(execution.target)
        self.stop_reason: Stop | None = None
        self.started_at: int | None = None
        self.started = 0.0
        self._begun = False
        self._finished = False
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._deadline: asyncio.TimerHandle | None = None
        self._bound: asyncio.TimerHandle | None = None

    # ------------------------------------------------------------------ the way of an attempt

    def start(self, loop: asyncio.AbstractEventLoop, after: "Attempt | None" = None) -> None:
        """Begin the run in a task of its own, at once or once `after` has ended; its end is told to `workshop.ended`."""
        self._loop = loop
        if after is None:
            self._begin()
        self._task = loop.create_task(self._run(after))

    @property
    def chain(self) -> Mode | None:
        """The mode whose runner can be handed this run ahead; None when it must wait for a slot here."""
        target = self.target
        chains = target is not None and target.enabled and target.mode in self.workshop.chaining
        return target.mode if target is not None and chains else None

    @property
    def is_under_way(self) -> bool:
        """Whether it was started, be it that it still waits in a slot's hands, and has not ended."""
        return self._task is not None and not self._finished

    def _begin(self) -> int:
        """Note that the run begins now, and return its deadline (ms since 1970)."""
        self.started_at = self.workshop.clock.now_ms()
        self.started = time.perf_counter()
        timeout = self.target.timeout if self.target is not None else 0
        if timeout and self._loop is not None:
            self._deadline = self._loop.call_later(timeout / 1000, self.stop, Stop.TIMEOUT)
        return self.started_at + timeout

    async def _run(self, after: "Attempt | None") -> None:
        self._begun = True
        if self.stop_reason is not None:  # stopped between its start and its first step
            self._finish(self._outcome_of_stop())
            return
        refusal = self._refusal()
        outcome = refusal if refusal is not None else await self._outcome_of_run(after)
        self._finish(outcome)

    def _refusal(self) -> Outcome | None:
        """Say why this execution cannot run here at all, if so (SPEC section 14)."""
        target, execution = self.target, self.execution
        if target is None:
            near = self.workshop.nearest(execution.target)
            guess = f"; the nearest are {', '.join(near)}" if near else ""
            return outcomes.failed(
                f"no {execution.concept.value} has the id {execution.target!r} in this worker{guess}. "
                "Deploy it and requeue this dead letter, or purge it.",
                retry=False,
            )
        if not target.enabled:
            return outcomes.failed(
                f"{target.id} is disabled. Enable it and requeue this dead letter, or purge it.", retry=False
            )
        return None

    async def _outcome_of_run(self, after: "Attempt | None") -> Outcome:
        target = self.target
        assert target is not None  # noqa: S101 - `_refusal` has seen to it
        try:
            if after is not None:
                runner = self.workshop.chaining[target.mode]
                return await runner.run_after(after, self.execution, target, self, self._begin)
            assert self.started_at is not None  # noqa: S101 - `start` has set it
            deadline = self.started_at + target.timeout
            return await self.workshop.runners[target.mode].run(self.execution, target, deadline, self)
        except asyncio.CancelledError:
            return self._outcome_of_stop()
        except SlotError as error:
            # No slot can be had any more: that is no fault of this execution, and the next one would fare no better.
            self.workshop.fault(error)
            return outcomes.interrupted(f"given back to the queue: {error}")
        except Exception as error:
            # A fault of our own must not leave the execution running for ever: say it, and let the retry policy speak.
            log.exception("a runner broke under execution %s; please report this", self.execution.id)
            return outcomes.crashed(f"a fault inside the worker: {type(error).__name__}: {error}", None)

    def _outcome_of_stop(self) -> Outcome:
        reason, target = self.stop_reason, self.target
        if reason is Stop.TIMEOUT and target is not None:
            return outcomes.timed_out(
                f"still running after its timeout of {target.timeout} ms; it was stopped"
            )
        if reason is Stop.CANCEL:
            return outcomes.cancelled("cancelled while it ran")
        return outcomes.interrupted("interrupted by a shutdown of its worker and given back to the queue")

    def _finish(self, outcome: Outcome) -> None:
        if self._finished:  # abandoned before: its settlement has been written
            return
        self._finished = True
        if self._bound is not None:
            self._bound.cancel()
        if self._deadline is not None:
            self._deadline.cancel()
        if self.stop_reason is Stop.LOST:
            log.error(
                "execution %s of %s lost its lease while it ran here; it was stopped and nothing of it is recorded",
                self.execution.id,
                self.execution.target,
            )
            self.workshop.ended(self, None)
            return
        settlement = self._settlement(outcome)
        self._say(settlement, outcome)
        self.workshop.settle(settlement, self.last_words())
        self.workshop.ended(self, settlement)

    def _settlement(self, outcome: Outcome) -> Settlement:
        target = self.target
        return decide(
            self.execution,
            outcome,
            policy_of(target) if target is not None else _NO_RETRY,
            retain_of(target),
            self.workshop.clock.now_ms(),
            started_at=self.started_at,
            lines=self.take_lines(),
        )

    def _say(self, settlement: Settlement, outcome: Outcome) -> None:
        action = settlement.action
        if action is Action.COMPLETE and not log.isEnabledFor(logging.DEBUG):
            return
        level = _LEVELS[action]
        words = {
            Action.COMPLETE: "completed",
            Action.CANCEL: "cancelled",
            Action.GIVE_BACK: "given back to the queue",
            Action.RETRY: f"failed, retry in {settlement.delay_ms} ms",
            Action.DEAD_LETTER: "failed for good, now a dead letter",
        }[action]
        reason = f": {outcome.error}" if outcome.error and outcome.kind is not Kind.SUCCEEDED else ""
        log.log(level, "%s%s", words, reason, extra={"run": self.log_fields()})

    def _report(self) -> None:
        if not self.reported and not self._finished:
            self.reported = True
            self.workshop.report(self)

    # ------------------------------------------------------------------ ending it early

    def stop(self, reason: Stop) -> None:
        """End the run early for `reason`; the first reason counts. The runner ends the handler by force if it must."""
        task, loop = self._task, self._loop
        if self._finished or self.stop_reason is not None or task is None or loop is None:
            return
        self.stop_reason = reason
        if self._begun:  # a task cancelled before its first step would never tell its end
            task.cancel()
        self._bound = loop.call_later(STOP_BOUND_MS / 1000, self._abandon)

    def take_back(self) -> bool:
        """Take a run that waits in a slot's hands back, to be started anew as another attempt; False when it has begun."""
        mode = self.chain
        if mode is None or self._finished or not self.workshop.chaining[mode].withdraw(self):
            return False
        self._finished = True
        return True

    def give_back(self) -> None:
        """Hand an attempt that has not started back to the queue (no attempt is used up)."""
        self._finish(outcomes.interrupted("claimed but not started here; given back to the queue"))

    def lose_unstarted(self) -> None:
        """End an attempt that has not started and whose claim is another worker's by now; nothing is written."""
        self.stop_reason = Stop.LOST
        self._finish(self._outcome_of_stop())

    def cancel_unstarted(self) -> None:
        """End an attempt that has not started as cancelled."""
        self._finish(outcomes.cancelled("cancelled before it ran"))

    def _abandon(self) -> None:
        log.error(
            "execution %s of %s did not end within %d ms of being stopped (%s); it is abandoned",
            self.execution.id,
            self.execution.target,
            STOP_BOUND_MS,
            self.stop_reason,
        )
        self._finish(self._outcome_of_stop())


def retain_of(target: Target | None) -> Retain:
    """Return how long a finished execution of `target` is kept; an unknown target has the defaults of SPEC section 4.

    With `persist` false only for a moment, so that who waits for its end still sees it.
    """
    if target is None:
        return _DEFAULT_RETAIN
    if not target.persist:
        return _NOT_PERSISTED
    retention = target.retention
    return Retain(retention.kv_days * _DAY_MS, retention.db_days * _DAY_MS)


_NOT_PERSISTED: Final = Retain(60_000, 0)
_DEFAULT_RETAIN: Final = Retain(7 * _DAY_MS, 90 * _DAY_MS)
_LEVELS: Final = {
    Action.COMPLETE: logging.DEBUG,
    Action.CANCEL: logging.INFO,
    Action.GIVE_BACK: logging.INFO,
    Action.RETRY: logging.WARNING,
    Action.DEAD_LETTER: logging.ERROR,
}
