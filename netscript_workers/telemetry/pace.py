"""How many executions end in a second, by topic: what a worker announces, so that `workers top` can add it up over all."""

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.settlement import Action, Settlement

WINDOW_S: Final = 10.0
_LEAST_S: Final = 1.0  # a rate over less says nothing
_FINAL: Final = (Action.COMPLETE, Action.DEAD_LETTER, Action.CANCEL)


class Pace:
    """Counts ends. Topics are those that the worker serves, so what is kept is bounded."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        """Begin with nothing at `now_s`, seconds of a clock that only goes on."""
        self._now_s = now_s
        self._totals: dict[str, int] = {}
        self._points: deque[tuple[float, dict[str, int]]] = deque([(now_s(), {})])

    def observe(self, execution: Execution, settlement: Settlement) -> None:
        """Count an execution that has ended for good. Called for each run: cheap, and never raises."""
        if settlement.action in _FINAL:
            topic = execution.topic
            self._totals[topic] = self._totals.get(topic, 0) + 1

    def rates(self) -> dict[str, float]:
        """Return the ends in a second of each topic that had any, over the looks of the last `WINDOW_S`; each call is a look."""
        now = self._now_s()
        points = self._points
        while len(points) > 1 and points[1][0] <= now - WINDOW_S:
            points.popleft()
        since, before = points[0]
        passed = now - since
        if now - points[-1][0] >= _LEAST_S:
            points.append((now, dict(self._totals)))
        if passed < _LEAST_S:
            return {}
        ended = {topic: total - before.get(topic, 0) for topic, total in self._totals.items()}
        return {topic: count / passed for topic, count in ended.items() if count}
