"""What a worker has done, as plain integers: some additions for each run, and nothing that is read until somebody asks."""

from bisect import bisect_left
from typing import Final

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.settlement import Action, Settlement

BOUNDS_MS: Final = (
    *(5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000),
    *(60_000, 300_000, 900_000, 3_600_000),
)
"""Upper bounds of the buckets of durations and of waits, inclusive, in ms; one bucket more is without a bound."""

MAX_SERIES: Final = 1_000
OTHERS: Final = "(others)"
"""Stands for the targets beyond `MAX_SERIES`: ids that arrive on the queue are not ours to bound."""

_FINAL: Final = (Action.DEAD_LETTER, Action.CANCEL)


class Histogram:
    """Counts by bucket, and the sum in ms."""

    __slots__ = ("counts", "sum_ms")

    def __init__(self) -> None:
        """Begin empty."""
        self.counts = [0] * (len(BOUNDS_MS) + 1)
        self.sum_ms = 0

    def add(self, ms: int) -> None:
        """Count one value; one below nothing (two clocks) counts as 0."""
        if ms > BOUNDS_MS[0]:
            self.counts[bisect_left(BOUNDS_MS, ms)] += 1
            self.sum_ms += ms
            return
        self.counts[0] += 1
        if ms > 0:
            self.sum_ms += ms


class TargetTally:
    """What became of the runs of one target in one topic; `outcomes` are those of final statuses but `completed`."""

    __slots__ = ("causes", "completed", "duration", "outcomes", "retries", "wait")

    def __init__(self) -> None:
        """Begin with nothing."""
        self.completed = 0
        self.outcomes: dict[str, int] = {}
        self.causes: dict[str, int] = {}
        self.retries = 0
        self.duration = Histogram()
        self.wait = Histogram()


class Tally:
    """The books of one worker process, since its start."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.targets: dict[tuple[str, str], TargetTally] = {}

    def observe(self, execution: Execution, settlement: Settlement) -> None:
        """Count an attempt that ended as `settlement` says. Called for each run: cheap, and never raises."""
        one = self.targets.get((execution.topic, execution.target))
        if one is None:
            one = self._new(execution)
        action = settlement.action
        if action is Action.COMPLETE:
            one.completed += 1
        elif action in _FINAL:
            status = settlement.status._value_
            one.outcomes[status] = one.outcomes.get(status, 0) + 1
        elif action is Action.RETRY:
            one.retries += 1
        record = settlement.record
        if record is None:
            return
        if record.cause is not None:
            one.causes[record.cause] = one.causes.get(record.cause, 0) + 1
        if record.started_at is not None:
            one.duration.add(record.completed_at - record.started_at)
        if execution.started_at is not None and (execution.due_at is not None or execution.attempt == 1):
            # Both by the engine's clock. A retry's own wait begins when it is due, which not every engine keeps.
            one.wait.add(execution.started_at - (execution.due_at or execution.triggered_at))

    def _new(self, execution: Execution) -> TargetTally:
        key = (execution.topic, execution.target)
        if len(self.targets) >= MAX_SERIES:
            key = (OTHERS, OTHERS)
        return self.targets.setdefault(key, TargetTally())
