"""A runner: the place where attempts of one mode run."""

from typing import Protocol, runtime_checkable

import msgspec

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import Target
from netscript_workers.ports.observer import RunObserver


class SlotReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one slot is doing (for SIGUSR1 and `status`). `execution_id` None is an idle warm slot; `pid` is its process."""

    mode: str
    pid: int
    execution_id: str | None
    target: str | None
    busy_ms: int
    memory: int | None = None


class Runner(Protocol):
    """Runs attempts. `start` and `stop` are idempotent."""

    async def start(self) -> None:
        """Be ready to run; raises `SlotError` when that cannot be."""
        ...

    async def stop(self, grace_ms: int) -> None:
        """End every process and thread of this runner, within about `grace_ms`; no run is under way any more."""
        ...

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt to its end and say how it ended; `deadline` is ms since 1970.

        Never raises for what the handler does. The caller watches the deadline and cancels this call when the
        attempt must end (deadline, cancellation, shutdown, lost lease); the runner then tells the handler, gives it
        `STOP_GRACE_MS`, ends it by force with all its descendants, and lets `asyncio.CancelledError` out, all
        within a bound.
        """
        ...

    def slots(self) -> list[SlotReport]:
        """Tell what each slot is doing now."""
        ...


@runtime_checkable
class ChainingRunner(Runner, Protocol):
    """A runner whose slots can be handed runs before the one under way has ended, so that they need not wait between two."""

    @property
    def chains(self) -> bool:
        """Whether it does so here, with its present settings."""
        ...

    async def run_after(
        self,
        leader: RunObserver,
        execution: Execution,
        target: Target,
        observer: RunObserver,
        turn: "Turn",
    ) -> Outcome:
        """Run one attempt in the slot of the run that has the observer `leader`, as soon as that has ended; else like `run`.

        What the slot cannot be handed, or gives back unbegun, waits for its turn instead. Cancelled before it has begun, it ends
        at once.
        """
        ...

    def withdraw(self, observer: RunObserver) -> bool:
        """Take a run of `run_after` back: True if it has not begun and never will; the caller then cancels its call."""
        ...


class Turn(Protocol):
    """What the caller of `ChainingRunner.run_after` knows of the run's turn."""

    async def wait(self) -> None:
        """Wait until the place of the run before is free for this one."""
        ...

    def begin(self) -> int:
        """Note that the run begins now; returns its deadline (ms since 1970)."""
        ...
