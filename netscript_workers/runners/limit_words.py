"""Says of a run that a signal ended whether that was its limit of processor time: the kernel does not."""

import signal
from typing import Final

from msgspec import structs

from netscript_workers.domain.outcome import Outcome
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
