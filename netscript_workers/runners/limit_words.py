"""Says of a run that failed whether a limit was why: of processor time, which the kernel does not tell, or of its group."""

import signal
from collections.abc import Callable
from typing import Final

from msgspec import structs

from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.target import Limits

_KILLED: Final[set[int]] = {-signal.SIGKILL, -int(getattr(signal, "SIGXCPU", signal.SIGKILL))}
_CLOSE: Final = 0.8  # what the kernel counts at the limit and what it tells at the end differ by ticks


def with_limit_told(outcome: Outcome, limits: Limits) -> Outcome:
    """Return `outcome` with the limit named in its error if the run had used it up when it was ended."""
    seconds, usage = limits.cpu_seconds, outcome.usage
    if seconds is None or outcome.exit_code not in _KILLED or usage is None:
        return outcome
    if (usage.cpu_ms or 0) < seconds * 1000 * _CLOSE:
        return outcome
    return structs.replace(outcome, error=f"used up its limits.cpu_seconds of {seconds} ({outcome.error})")


def with_reached_told(outcome: Outcome, reached: Callable[[], str | None]) -> Outcome:
    """Return `outcome` with the limit that the run as a whole went up against; `reached` is asked of one that failed only."""
    if outcome.kind not in (Kind.FAILED, Kind.CRASHED):
        return outcome
    words = reached()
    if words is None:
        return outcome
    # A kill needs no other words; for another end the limit may be the reason, or not.
    killed = outcome.exit_code == -signal.SIGKILL
    return structs.replace(outcome, error=words if killed else f"{words} ({outcome.error})")
