"""What one run reports on its way, kept until it is written."""

import logging
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.execution import Execution, LogLine, Progress
from netscript_workers.ports.history import JournalEntry

MAX_UNWRITTEN_LINES: Final = 1_000
_LINE_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
    "critical": logging.CRITICAL,
}
_RUN_LOG: Final = logging.getLogger("netscript_workers.run")


class RunReports(ABC):
    """The observer of one run: its latest progress, and its last lines up to a bound."""

    __slots__ = ("_lines", "_lost_lines", "_progress", "execution", "reported")

    def __init__(self, execution: Execution) -> None:
        """Begin with nothing said."""
        self.execution = execution
        self.reported = False
        self._lines: deque[LogLine] | None = None
        self._lost_lines = 0
        self._progress: Progress | None = None

    @abstractmethod
    def _report(self) -> None:
        """Let the journal know, once, that there is something to write."""

    def log_fields(self) -> dict[str, object]:
        """Return what every log line of this run carries."""
        return {
            "execution": self.execution.id,
            "target": self.execution.target,
            "attempt": self.execution.attempt,
        }

    def progress(self, progress: Progress) -> None:
        """Keep the latest progress until it is written."""
        self._progress = progress
        self._report()

    def lines(self, lines: Sequence[LogLine]) -> None:
        """Keep the last lines until they are written, and say them in the daemon's own log."""
        kept = self._lines
        if kept is None:
            kept = self._lines = deque(maxlen=MAX_UNWRITTEN_LINES)
        self._lost_lines += max(0, len(kept) + len(lines) - MAX_UNWRITTEN_LINES)
        kept.extend(lines)
        run_log = _RUN_LOG
        if run_log.isEnabledFor(logging.INFO):
            fields = self.log_fields()
            for line in lines:
                level = _LINE_LEVELS.get(line.level, logging.INFO)
                if run_log.isEnabledFor(level):
                    run_log.log(level, "%s", line.line, extra={"run": fields, "stream": line.stream})
        self._report()

    def take_lines(self) -> tuple[LogLine, ...]:
        """Hand over the lines not written yet; a line says how many were lost to the bound."""
        kept = self._lines
        if not kept:
            return ()
        lines = tuple(kept)
        kept.clear()
        if self._lost_lines:
            lost = LogLine(
                lines[0].time, "log", "warning", f"[{self._lost_lines} lines before this are not kept]"
            )
            lines = (lost, *lines)
            self._lost_lines = 0
        return lines

    def take_entry(self) -> JournalEntry | None:
        """Hand over what the journal is to write now; None when there is nothing."""
        self.reported = False
        progress, self._progress = self._progress, None
        lines = self.take_lines()
        if progress is None and not lines:
            return None
        execution = self.execution
        return JournalEntry(execution_id=execution.id, token=execution.token, progress=progress, lines=lines)

    def last_words(self) -> JournalEntry | None:
        """Hand over progress that no journal entry has carried yet; the lines travel with the settlement."""
        progress, self._progress = self._progress, None
        if progress is None:
            return None
        execution = self.execution
        return JournalEntry(execution_id=execution.id, token=execution.token, progress=progress)
