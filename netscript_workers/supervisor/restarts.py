"""What follows the end of a child: started again when, or given up. Pure: the time is passed in."""

from collections import deque
from enum import StrEnum
from typing import Final

import msgspec

FIRST_DELAY_S: Final = 0.25
MOST_DELAY_S: Final = 30.0
BUDGET: Final = 10
BUDGET_WINDOW_S: Final = 600.0
_WELL_AFTER_S: Final = 60.0  # a child that worked for so long begins anew with short delays
_TEMPFAIL: Final = (
    69,
    78,
)  # a server that is away, a config that is wrong: neither is the child's fault, both get mended


class Ending(StrEnum):
    """How a child came to its end."""

    BOOT = "could not start"
    CRASH = "crashed"
    LEFT = "ended by itself"  # in order, with 0: somebody asked it to (a rolling restart)


class Verdict(msgspec.Struct, frozen=True):
    """Start it again in `delay_s`; None: the budget is used up, and the supervisor gives up."""

    ending: Ending
    delay_s: float | None


def ending_of(code: int, *, was_up: bool) -> Ending:
    """Tell a child that never said it works from one that did."""
    if not was_up:
        return Ending.BOOT
    return Ending.LEFT if code == 0 else Ending.CRASH


class Restarts:
    """The books of one child: how often it ended lately, and how long to wait."""

    def __init__(self) -> None:
        """Begin with a clean sheet."""
        self._faults: deque[float] = deque()
        self._in_a_row = 0
        self.count = 0

    def ended(self, code: int, *, was_up: bool, lived_s: float, now: float) -> Verdict:
        """Take in an end at `now` (monotonic, s) with exit status or minus signal `code`, after `lived_s` of life.

        An end in order costs nothing. A crash, or a start that failed by a fault of its own, uses the budget up: `BUDGET` within
        `BUDGET_WINDOW_S` is too many. A server that is away (69) or a config that is wrong (78) does not: the other children
        go on, and this one is tried again for as long as it takes.
        """
        ending = ending_of(code, was_up=was_up)
        self.count += 1
        if ending is Ending.LEFT:
            self._in_a_row = 0
            return Verdict(ending, 0.0)
        if lived_s >= _WELL_AFTER_S:
            self._in_a_row = 0
        self._in_a_row += 1
        if not (ending is Ending.BOOT and code in _TEMPFAIL):
            self._faults.append(now)
        while self._faults and now - self._faults[0] > BUDGET_WINDOW_S:
            self._faults.popleft()
        if len(self._faults) > BUDGET:
            return Verdict(ending, None)
        return Verdict(ending, min(MOST_DELAY_S, FIRST_DELAY_S * 2 ** min(self._in_a_row - 1, 20)))
