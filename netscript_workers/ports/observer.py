"""The way up for what a run reports while it goes on. Calls are cheap, never wait and never raise."""

from collections.abc import Sequence
from typing import Protocol

from netscript_workers.domain.execution import LogLine, Progress


class RunObserver(Protocol):
    """Takes in one run's reports."""

    def progress(self, progress: Progress) -> None:
        """Take the latest progress; the one before is forgotten."""
        ...

    def lines(self, lines: Sequence[LogLine]) -> None:
        """Take captured log lines, in order."""
        ...
