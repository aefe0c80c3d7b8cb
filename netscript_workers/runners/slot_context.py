"""What a handler in a slot is given: a context that asks the slot's socket, and an observer that writes to it."""

from collections.abc import Sequence
from typing import Protocol

from netscript_workers.authoring.context import JobContext
from netscript_workers.domain.execution import Execution, LogLine, Progress
from netscript_workers.ports.observer import RunObserver
from netscript_workers.runners.messages import Logged, Message, Progressed


class Reporting(Protocol):
    """The slot, as its run sees it; both may be called from any thread."""

    def send(self, message: Message) -> None:
        """Send a report of the run."""
        ...

    def poll(self) -> None:
        """Look whether the run must end."""
        ...


class SlotObserver:
    """Sends what a run reports to the daemon."""

    __slots__ = ("_slot",)

    def __init__(self, slot: Reporting) -> None:
        self._slot = slot

    def progress(self, progress: Progress) -> None:
        """Send the progress."""
        self._slot.send(Progressed(progress))

    def lines(self, lines: Sequence[LogLine]) -> None:
        """Send the lines."""
        self._slot.send(Logged(tuple(lines)))


class SlotContext(JobContext):
    """A context whose `cancelled` looks at the slot's socket, so that no thread has to watch it."""

    __slots__ = ("_slot",)

    def __init__(
        self, execution: Execution, max_attempts: int, deadline: int, observer: RunObserver, slot: Reporting
    ) -> None:
        super().__init__(execution=execution, max_attempts=max_attempts, deadline=deadline, observer=observer)
        self._slot = slot

    @property
    def is_marked(self) -> bool:
        """Whether the run has been told already."""
        return self._cancelled

    @property
    def cancelled(self) -> bool:
        """True once this attempt must end."""
        if not self._cancelled:
            self._slot.poll()
        return self._cancelled
