"""A runner: the place where attempts of one mode run."""

from collections.abc import Callable
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

    async def run_after(
        self,
        leader: RunObserver,
        execution: Execution,
        target: Target,
        observer: RunObserver,
        begun: Callable[[], int],
    ) -> Outcome:
        """Run one attempt in the slot of the run that has the observer `leader`, once that has ended; else like `run`.

        `begun` is called at its beginning and returns its deadline. Cancelled before that, it ends at once.
        """
        ...

    def withdraw(self, observer: RunObserver) -> bool:
        """Take back a run that has not begun: True if it has not and never will; its call is then cancelled."""
        ...
