"""Tells what a dead consumer of Deno's left running from what a living one runs."""

import time
from collections.abc import Callable, Iterable
from typing import Final

from netscript_workers.engines.deno_kv.arrival import Place

STRANDED_MS: Final = 10_000
"""How long a run of Deno's must have stood unchanged. A living consumer renews its deadline every two seconds."""
# A longer pause between two looks counts as so much: if all was frozen in it (a suspended host, a paused container), the
# consumer did not renew either, and has the next looks to do it.
_MOST_MS: Final = 6_000


def awake_ms() -> int:
    """Return a time (ms) that no change of the wall clock moves and that stands still while the host sleeps."""
    return time.monotonic_ns() // 1_000_000


class Standing:
    """Counts how long each run of Deno's has been seen with the same deadline; what its deadline says is no matter.

    The deadline is a time of the wall clock, and that may jump.
    """

    def __init__(self, now_ms: Callable[[], int] = awake_ms) -> None:
        """`now_ms` tells the time (ms), so that tests can own it."""
        self._now_ms = now_ms
        self._looked = now_ms()
        self._stood: dict[Place, int] = {}

    def look(self, there: Iterable[Place]) -> list[Place]:
        """Take in what is there now, and return what has stood for `STRANDED_MS`."""
        now = self._now_ms()
        gone_by = min(now - self._looked, _MOST_MS)
        self._looked = now
        before = self._stood
        self._stood = {place: before[place] + gone_by if place in before else 0 for place in there}
        return [place for place, stood in self._stood.items() if stood >= STRANDED_MS]
