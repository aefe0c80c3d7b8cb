"""Says of a run that failed which of its limits ended it, as far as that can be known: the kernel tells of a group alone."""

import re
import signal
from collections.abc import Callable, Sequence
from typing import Final

from msgspec import structs

from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.target import Limits

_KILLED: Final[set[int]] = {-signal.SIGKILL, -int(getattr(signal, "SIGXCPU", signal.SIGKILL))}
# Ends of a program that could not have the memory it asked for, and did not ask whether it had got it.
_SUDDEN: Final[set[int]] = {-signal.SIGABRT, -signal.SIGSEGV, -int(getattr(signal, "SIGBUS", signal.SIGSEGV))}
_CLOSE: Final = 0.8  # what was held is seen late, and less than what was asked for
_CLOSE_IN_TIME: Final = (
    0.7  # the kernel counts whole ticks at the limit, what it tells at the end is exact: 780 of 1000 ms seen
)
# What Python, numpy, the C library, C++, Go, Rust, .NET and V8 say when there is no more memory.
_NO_MEMORY: Final = re.compile(
    r"^(?:[\w.]+\.)?_?\w*MemoryError\b|Cannot allocate memory|std::bad_alloc|memory exhausted"
    r"|(?:heap|process|runtime:|error:) out of memory|OutOfMemory|memory allocation of \d+ bytes failed",
    re.MULTILINE | re.IGNORECASE,
)


def with_limit_told(outcome: Outcome, limits: Limits, errors: Sequence[str] = ()) -> Outcome:
    """Return `outcome` with the limit named in its error if it had ended the run; `errors` are its last lines of stderr."""
    words = _of_time(outcome, limits) or _of_memory(outcome, limits, errors)
    return outcome if words is None else structs.replace(outcome, error=f"{words} ({outcome.error})")


def _of_time(outcome: Outcome, limits: Limits) -> str | None:
    seconds, usage = limits.cpu_seconds, outcome.usage
    if seconds is None or outcome.exit_code not in _KILLED or usage is None:
        return None
    if (usage.cpu_ms or 0) < seconds * 1000 * _CLOSE_IN_TIME:
        return None
    return f"used up its limits.cpu_seconds of {seconds}"


def _of_memory(outcome: Outcome, limits: Limits, errors: Sequence[str]) -> str | None:
    size = limits.memory
    if size is None or outcome.kind not in (Kind.FAILED, Kind.CRASHED):
        return None
    if _NO_MEMORY.search("\n".join((outcome.error or "", *errors))):
        return f"was refused memory under its limits.memory of {size} bytes"
    peak = outcome.usage.peak_memory if outcome.usage is not None else None
    if outcome.exit_code in _KILLED | _SUDDEN and peak is not None and peak >= size * _CLOSE:
        return f"had come close to its limits.memory of {size} bytes"
    return None


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
