"""What counting costs each run, in microseconds: `python tests/benchmarks/observing_cost.py`. The best of several rounds."""

import sys
import timeit

from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.outcome import succeeded
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, decide
from netscript_workers.domain.target import Concept
from netscript_workers.telemetry.tally import Tally

ROUNDS, RUNS = 7, 200_000


def main() -> None:
    execution = Execution(
        id="e",
        concept=Concept.JOB,
        target="noop",
        topic="default",
        status=Status.RUNNING,
        triggered_by=TriggeredBy.MANUAL,
        triggered_at=1_000,
        payload=b"{}",
        priority=50,
        attempt=1,
        max_attempts=4,
        started_at=1_020,
    )
    settlement = decide(execution, succeeded(b"null"), RetryPolicy(), Retain(1, 1), 1_030, started_at=1_025)
    tally = Tally()
    best = min(timeit.repeat(lambda: tally.observe(execution, settlement), number=RUNS, repeat=ROUNDS))
    nothing = min(timeit.repeat(lambda: None, number=RUNS, repeat=ROUNDS))
    sys.stdout.write(f"{(best - nothing) / RUNS * 1e6:.2f} us for each run\n")


if __name__ == "__main__":
    main()
