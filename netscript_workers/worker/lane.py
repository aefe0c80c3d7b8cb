"""One lane's books, and what is asked of the engine for all of them (see `worker/lanes.py`)."""

from collections import deque
from typing import Final

import msgspec

from netscript_workers.domain.pool import Lane
from netscript_workers.ports.queue import LaneDemand
from netscript_workers.worker.attempt import Attempt

LOOK_AHEAD_MS: Final = 25.0
MAX_LOOK_AHEAD: Final = 512
MAX_CHAIN: Final = 8


class Demand(msgspec.Struct, frozen=True):
    """What to ask the engine for: at most `total` in all, `lanes` in order of whose turn it is."""

    total: int
    lanes: tuple[LaneDemand, ...]


class LaneState:
    """One lane's slots in use, what it holds unstarted, and how long its runs take.

    One with the limit 0 is closed: its topics are not served any more, and some of their runs go on.
    """

    __slots__ = ("busy", "chains", "dry", "following", "held", "limit", "mean_ms", "topics", "turn")

    def __init__(self, lane: Lane) -> None:
        self.topics: deque[str] = deque(lane.topics)
        self.limit = lane.limit
        self.busy = 0
        self.held: deque[Attempt] = deque()
        self.chains: dict[
            Attempt, deque[Attempt]
        ] = {}  # each busy place: what runs there, and what follows it
        self.following = 0
        self.turn = 0
        self.mean_ms: float | None = None
        self.dry = False

    def look_ahead(self) -> int:
        """Return how many executions more than it has room for this lane claims, while its runs are short."""
        if self.mean_ms is None:
            return 0
        return min(MAX_LOOK_AHEAD, int(self.limit * LOOK_AHEAD_MS / max(self.mean_ms, 0.01)))

    def depth(self) -> int:
        """Return how many runs may follow each that is under way."""
        return 0 if self.mean_ms is None else min(MAX_CHAIN, int(LOOK_AHEAD_MS / max(self.mean_ms, 0.01)))

    def wanted(self, ahead: int) -> int:
        """Return how many executions to claim now, with a look-ahead of `ahead`."""
        waiting = len(self.held) + self.following
        room = self.limit - self.busy - waiting
        if ahead == 0:
            return max(0, room)
        if waiting > ahead // 2:  # half of the look-ahead is still there: no round trip for crumbs
            return 0
        return max(0, room + ahead)

    def move_to(self, home: "LaneState", head: Attempt) -> None:
        """Let the run `head`, with what follows it, count in another lane from now on."""
        chain = self.chains.pop(head)
        self.busy -= 1
        self.following -= len(chain)
        home.chains[head] = chain
        home.busy += 1
        home.following += len(chain)
