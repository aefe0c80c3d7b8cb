"""What a handler is handed beside its payload: who it is, how long it has, and how to report."""

import time
from typing import Any

import msgspec

from netscript_workers.authoring.run_log import RunLog
from netscript_workers.authoring.text import bounded, safe_repr
from netscript_workers.domain.execution import Execution, Progress
from netscript_workers.errors import PayloadError
from netscript_workers.ports.observer import RunObserver

_MAX_MESSAGE_CHARS = 1_000
_decode_object = msgspec.json.Decoder(dict[str, Any]).decode


class UndecodablePayloadError(PayloadError):
    """The execution's own payload is no JSON object; another attempt would meet the same one."""


class JobContext:
    """One attempt, as its handler sees it.

    Made by the runner for each attempt; valid only while the handler runs. Cheap: nothing is decoded before
    it is asked for. `deadline` is ms since 1970; `max_attempts` counts the first one.
    """

    __slots__ = ("_cancelled", "_execution", "_log", "_observer", "_payload", "deadline", "max_attempts")

    def __init__(
        self, *, execution: Execution, max_attempts: int, deadline: int, observer: RunObserver
    ) -> None:
        self._execution = execution
        self._observer = observer
        self._payload: dict[str, Any] | None = None
        self._log: RunLog | None = None
        self._cancelled = False
        self.max_attempts = max_attempts
        self.deadline = deadline

    @property
    def execution(self) -> Execution:
        """The whole record of the execution, as it was claimed."""
        return self._execution

    @property
    def id(self) -> str:
        """The execution's id, the same for all its attempts."""
        return self._execution.id

    @property
    def job(self) -> str:
        """The id of the job that runs."""
        return self._execution.target

    @property
    def attempt(self) -> int:
        """Which attempt this is, from 1."""
        return self._execution.attempt

    @property
    def correlation_id(self) -> str | None:
        """What the enqueuer called the larger thing this run belongs to."""
        return self._execution.correlation_id

    @property
    def traceparent(self) -> str | None:
        """The W3C trace context this run continues."""
        return self._execution.traceparent

    @property
    def tracestate(self) -> str | None:
        """The vendor part of the W3C trace context."""
        return self._execution.tracestate

    @property
    def payload(self) -> dict[str, Any]:
        """The payload as plain JSON values, whatever the second parameter says. Decoded once, yours to change."""
        if self._payload is None:
            try:
                self._payload = _decode_object(self._execution.payload)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                raise UndecodablePayloadError(f"the payload is no JSON object: {error}") from None
        return self._payload

    @property
    def log(self) -> RunLog:
        """Writes lines into this execution's log (`workers logs`), with a level."""
        if self._log is None:
            self._log = RunLog(self._observer)
        return self._log

    @property
    def cancelled(self) -> bool:
        """True once this attempt must end (cancelled, past its deadline, shutdown). A plain function asks this."""
        return self._cancelled

    def mark_cancelled(self) -> None:
        """Make `cancelled` true. Called by the runner, from any thread or a signal handler."""
        self._cancelled = True

    def remaining_ms(self) -> int:
        """Return the milliseconds left before the deadline, 0 when it has passed."""
        return max(0, self.deadline - time.time_ns() // 1_000_000)

    def report_progress(self, percent: float, message: str | None = None) -> None:
        """Say how far the run is: `percent` from 0 to 100, else `ValueError`. Never waits; the latest counts."""
        if not isinstance(percent, (int, float)) or not 0 <= percent <= 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"report_progress takes a percent from 0 to 100, not {safe_repr(percent)}")
        if message is not None:
            message = bounded(str(message), _MAX_MESSAGE_CHARS)
        self._observer.progress(Progress(percent, message))
