"""Which topic gets the next free slot.

A lane is one limit over one or several topics (`domain.pool`). The pool bounds all lanes together. Lanes are served least
recently started first, so that none starves when the pool is smaller than what the lanes add up to.

Look-ahead: while a lane's runs are short, a few executions more than it has free slots are claimed, as many as it will start
within about `LOOK_AHEAD_MS`, so that a round trip to the engine is paid once for many runs. Long runs have no look-ahead.

Chains: of what is held, a few may be handed to a busy slot's own hands already (where its runner can do that), so that the slot
need not wait for us between two runs. Such a follower takes over the place of the run before it when that ends; until then it
counts for nothing, and can be taken back for a slot that is free earlier.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import count
from typing import Final

from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.ports.queue import LaneDemand
from netscript_workers.worker.attempt import Attempt
from netscript_workers.worker.lane import LOOK_AHEAD_MS, Demand, LaneState

_SMOOTHING: Final = 0.2
_LONG_MS: Final = 1_000.0


class Lanes:
    """The books of one worker's slots. Knows no engine and no clock."""

    def __init__(self, pool: Pool) -> None:
        """Open the books for `pool`."""
        self._size = pool.size
        self._lanes = [LaneState(lane) for lane in pool.lanes]
        self._by_topic = {topic: lane for lane in self._lanes for topic in lane.topics}
        self._turns = count(1)
        self._busy = 0
        self._held = 0
        self._following = 0
        self._asked: Demand | None = None

    @property
    def size(self) -> int:
        """How many attempts may run at one time."""
        return self._size

    @property
    def busy(self) -> int:
        """How many attempts run now."""
        return self._busy

    @property
    def held(self) -> int:
        """How many claimed executions wait here for their slot."""
        return self._held

    @property
    def following(self) -> int:
        """How many executions wait in the hands of busy slots."""
        return self._following

    @property
    def thirsty_topics(self) -> tuple[str, ...]:
        """Return the topics of lanes that have a free slot and are known to be dry."""
        return tuple(
            topic
            for lane in self._lanes
            if lane.dry and lane.busy + len(lane.held) < lane.limit
            for topic in lane.topics
        )

    @property
    def all_dry(self) -> bool:
        """Tell whether nothing runs, nothing is held, and every lane was found empty since the last wake."""
        return not self._busy and not self._held and all(lane.dry or not lane.limit for lane in self._lanes)

    @property
    def topics(self) -> tuple[str, ...]:
        """Every topic served."""
        return tuple(topic for topic, lane in self._by_topic.items() if lane.limit)

    def resize(self, pool: Pool) -> None:
        """Serve `pool` from now on; to be called while nothing is held.

        What runs goes on, and counts in the lane that its topic belongs to now. The pool may be over-full until enough of it has
        ended. A topic that is served no more keeps a closed lane until its runs have ended.
        """
        before, was = self._lanes, self._by_topic
        self._size = pool.size
        self._lanes = [LaneState(lane) for lane in pool.lanes]
        self._by_topic = {topic: lane for lane in self._lanes for topic in lane.topics}
        for topic, lane in self._by_topic.items():
            if topic in was:
                lane.mean_ms, lane.turn = was[topic].mean_ms, was[topic].turn
        for lane in before:
            for head in list(lane.chains):
                lane.move_to(self._lane_of_run(head), head)
        self._asked = None

    def _lane_of_run(self, attempt: Attempt) -> LaneState:
        topic = attempt.execution.topic
        home = self._by_topic.get(topic)
        if home is None:
            home = self._by_topic[topic] = LaneState(Lane((), 0))
            self._lanes.append(home)
        return home

    def demand(self) -> Demand | None:
        """Say what to claim now; None when nothing is free or every free lane is known to be dry."""
        pool_room = self._size - self._busy - self._held
        asked: list[LaneDemand] = []
        wanted_in_all = ahead_in_all = 0
        for lane in sorted(self._lanes, key=_turn_of):
            ahead = lane.look_ahead()
            wanted = 0 if lane.dry else lane.wanted(ahead)
            if wanted <= 0:
                continue
            asked.append(LaneDemand(tuple(lane.topics), wanted))
            lane.topics.rotate(-1)  # topics that share a lane take turns at being asked first
            wanted_in_all += wanted
            ahead_in_all += ahead
        total = min(wanted_in_all, pool_room + ahead_in_all)
        self._asked = Demand(total, tuple(asked)) if total > 0 else None
        return self._asked

    def came_short(self, demand: Demand, claimed: Sequence[str] = ()) -> None:
        """Note that the engine had less than `demand`: a lane that did not get all it asked for is dry until `wake`, others not.

        `claimed` is the topic of each execution that it had. Nothing is noted when the lanes have changed meanwhile.
        """
        if demand is not self._asked:
            return
        for lane in demand.lanes:
            if sum(topic in lane.topics for topic in claimed) < lane.limit:
                self._by_topic[lane.topics[0]].dry = True

    def wake(self) -> None:
        """Note that work may have arrived for any lane."""
        for lane in self._lanes:
            lane.dry = False

    def hold(self, attempts: Iterable[Attempt]) -> list[Attempt]:
        """Take claimed executions in, in the order they are to start within their lane.

        Returns those whose topic has ceased to be served while they were being claimed; they are not taken in.
        """
        strays: list[Attempt] = []
        for attempt in attempts:
            lane = self._by_topic.get(attempt.execution.topic)
            if lane is None or not lane.limit:
                strays.append(attempt)
                continue
            lane.held.append(attempt)
            self._held += 1
        return strays

    def ready(self) -> Iterator[Attempt]:
        """Yield what may start now and count its slot as busy."""
        while self._held and self._busy < self._size:
            lane = min(
                (lane for lane in self._lanes if lane.held and lane.busy < lane.limit),
                key=_turn_of,
                default=None,
            )
            if lane is None:
                return
            lane.turn = next(self._turns)
            lane.busy += 1
            self._busy += 1
            self._held -= 1
            attempt = lane.held.popleft()
            lane.chains[attempt] = deque()
            yield attempt

    def followers(self, now: float) -> Iterator[tuple[Attempt, Attempt]]:
        """Yield held attempts to be handed to busy slots, each with the one that it comes after; breadth first.

        None while several lanes hold something: they compete, and the end of each run decides whose turn it is. None behind a
        run that began more than `LOOK_AHEAD_MS` before `now` (perf_counter), for it may be a long one.
        """
        waiting = [lane for lane in self._lanes if lane.held]
        if len(waiting) != 1:
            return
        (lane,) = waiting
        depth = lane.depth()
        if lane.following * 2 > depth * len(lane.chains):  # half of it is still there
            return
        for level in range(depth):
            for head, chain in lane.chains.items():
                if not lane.held:
                    return
                if len(chain) == level and (now - head.started) * 1000 <= LOOK_AHEAD_MS:
                    tail = chain[-1] if chain else head
                    if tail.chain is None or tail.chain is not lane.held[0].chain:
                        return
                    attempt = lane.held.popleft()
                    chain.append(attempt)
                    self._count(lane, held=-1, following=1)
                    yield attempt, tail

    def spare(self) -> Attempt | None:
        """Return a follower that a free slot could run at once: the last of the longest chain; None when there is none."""
        if self._held or self._busy >= self._size:
            return None
        for lane in self._lanes:
            if lane.following and lane.busy < lane.limit:
                return max(lane.chains.values(), key=len)[-1]
        return None

    def overdue(self, now: float, ms: float) -> list[Attempt]:
        """Return what follows runs that began more than `ms` before `now` (perf_counter), the last first."""
        return [
            attempt
            for lane in self._lanes
            if lane.following
            for head, chain in lane.chains.items()
            if (now - head.started) * 1000 >= ms
            for attempt in reversed(chain)
        ]

    def hold_again(self, attempt: Attempt) -> bool:
        """Take in an attempt taken back from a slot's hands, as the next of its lane; False when its topic is served no more."""
        lane = self._by_topic.get(attempt.execution.topic)
        if lane is None or not lane.limit:
            return False
        lane.held.appendleft(attempt)
        self._count(lane, held=1)
        return True

    def leave(self, attempt: Attempt, took_ms: float | None, *, wake: bool) -> Attempt | None:
        """Take an attempt out that has ended after `took_ms`, or without having begun (None), wherever it stands.

        Returns the follower that takes over its place, if any. `wake` when its end may have freed work of its own topic.
        """
        lane = self._by_topic.get(attempt.execution.topic)
        if lane is None:  # claimed for a topic that is not served any more
            return None
        if wake:
            lane.dry = False
        if took_ms is not None:
            mean = lane.mean_ms
            lane.mean_ms = took_ms if mean is None else mean + _SMOOTHING * (took_ms - mean)
        chain = lane.chains.pop(attempt, None)
        if chain is None:
            if not self.drop(attempt):
                self.unchain(attempt)
        elif chain:
            heir = chain.popleft()
            lane.chains[heir] = chain
            self._count(lane, following=-1)
            home = self._lane_of_run(heir)
            if home is not lane:  # the lanes have changed since it was handed over
                lane.move_to(home, heir)
            return heir
        else:
            lane.busy -= 1
            self._busy -= 1
        return None

    def take_unstarted(self) -> list[Attempt]:
        """Give up everything held, and look ahead no more until runs prove short again."""
        taken: list[Attempt] = []
        for lane in self._lanes:
            if lane.held:
                taken.extend(lane.held)
                lane.held.clear()
                lane.mean_ms = _LONG_MS
        self._held = 0
        return taken

    def drop(self, attempt: Attempt) -> bool:
        """Take one held attempt out (it was cancelled); False when it is not held."""
        lane = self._by_topic.get(attempt.execution.topic)
        if lane is None or attempt not in lane.held:
            return False
        lane.held.remove(attempt)
        self._count(lane, held=-1)
        return True

    def unchain(self, attempt: Attempt) -> None:
        """Take one attempt out that follows another, if it does."""
        for lane in self._lanes:
            for chain in lane.chains.values():
                if attempt in chain:
                    chain.remove(attempt)
                    self._count(lane, following=-1)
                    return

    def _count(self, lane: LaneState, *, held: int = 0, following: int = 0) -> None:
        self._held += held
        lane.following += following
        self._following += following


def _turn_of(lane: LaneState) -> int:
    return lane.turn
