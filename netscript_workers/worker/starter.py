"""Starts what may start, and takes back what a long run holds up."""

import asyncio
import time
from typing import Final

from netscript_workers.worker.attempt import Attempt, Workshop
from netscript_workers.worker.lanes import Lanes
from netscript_workers.worker.leases import Leases

STUCK_MS: Final = 100


class Starter:
    """Turns what the lanes let go into running attempts, until nothing more may start."""

    def __init__(self, lanes: Lanes, leases: Leases, workshop: Workshop) -> None:
        """Start nothing yet."""
        self._lanes = lanes
        self._leases = leases
        self._workshop = workshop
        self._look: asyncio.TimerHandle | None = None
        self._last_release = 0.0

    def start_ready(self) -> None:
        """Start what has a slot, and hand a few of the others to busy slots ahead of their turn."""
        self._start()
        if self._look is None and (self._lanes.held or self._lanes.following):
            self._last_release = time.perf_counter()
            self._look_in(STUCK_MS)

    async def let_begin(self) -> None:
        """Let what was started reach its handler before whoever calls goes on: a task for the attempt, one for the handler."""
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    def ended(self, attempt: Attempt, *, wake: bool) -> None:
        """Take an ended attempt out, and start what its place is free for."""
        lanes, now = self._lanes, time.perf_counter()
        took_ms = None if attempt.started_at is None else (now - attempt.started) * 1000
        if took_ms is not None:
            self._last_release = now
        heir = lanes.leave(attempt, took_ms, wake=wake)
        if heir is not None:
            heir.promote()
        if lanes.following and (spare := lanes.spare()) is not None:
            self._take_back(spare)
        if lanes.held:
            self.start_ready()

    def give_back_unstarted(self) -> None:
        """Return what has not begun to the queue; what a slot takes up at this very moment runs."""
        for attempt in self._lanes.overdue(time.perf_counter(), 0):
            self._take_back(attempt)
        for attempt in self._lanes.take_unstarted():
            attempt.give_back()

    def _start(self) -> None:
        loop = asyncio.get_running_loop()
        for attempt in self._lanes.ready():
            attempt.start(loop)
        if self._workshop.chaining and self._lanes.held:
            for attempt, leader in self._lanes.followers(time.perf_counter()):
                attempt.start(loop, leader)

    def _look_in(self, ms: float) -> None:
        self._look = asyncio.get_running_loop().call_later(ms / 1000, self._look_for_stuck)

    def _look_for_stuck(self) -> None:
        """Free what a long run holds up: its followers for other slots here, a look-ahead for another worker's."""
        self._look = None
        now = time.perf_counter()
        for attempt in self._lanes.overdue(now, STUCK_MS):
            self._take_back(attempt)
        self._start()
        still_ms = (now - self._last_release) * 1000
        if still_ms >= STUCK_MS:
            self.give_back_unstarted()
        elif self._lanes.held or self._lanes.following:
            self._look_in(STUCK_MS - still_ms)

    def _take_back(self, attempt: Attempt) -> None:
        """Hold an attempt again that waits in a slot's hands; one that has begun meanwhile goes on."""
        if not attempt.take_back():
            return
        self._lanes.unchain(attempt)
        self._leases.let_go(attempt)
        anew = Attempt(attempt.execution, self._workshop)
        self._leases.hold(anew)
        if not self._lanes.hold_again(anew):
            anew.give_back()
