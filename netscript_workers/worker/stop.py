"""Why a run is ended before its own end, and what that is as an outcome."""

from enum import StrEnum

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.outcome import Outcome


class Stop(StrEnum):
    """Why a run is ended before its own end."""

    TIMEOUT = "timeout"
    CANCEL = "cancel"
    SHUTDOWN = "shutdown"
    LOST = "lost lease"


def outcome_of_stop(reason: Stop | None, timeout_ms: int, *, has_begun: bool) -> Outcome:
    """Return the outcome of a run that was stopped for `reason`."""
    if reason is Stop.TIMEOUT:
        return outcomes.timed_out(f"still running after its timeout of {timeout_ms} ms; it was stopped")
    if reason is Stop.CANCEL:
        return outcomes.cancelled("cancelled while it ran" if has_begun else "cancelled before it ran")
    return outcomes.interrupted("interrupted by a shutdown of its worker and given back to the queue")
