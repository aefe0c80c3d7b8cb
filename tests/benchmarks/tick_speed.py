"""How fast an engine enqueues ticks: many schedules due at the same moment, by the first scheduler and by one that is second.

    .venv/bin/python tests/benchmarks/tick_speed.py [--schedules 1000] [--rounds 30]

The engine is the one that the configuration and the environment choose (WORKERS_QUEUE_PROVIDER, REDIS_URL, …); nothing else
should use its queue name (WORKERS_QUEUE) meanwhile. What is enqueued stays in it.
"""

# ruff: noqa: T201 - it prints what it measured

import argparse
import os
import statistics
import time
from collections.abc import Awaitable, Callable

import uvloop

from netscript_workers import config, wiring
from netscript_workers.domain.execution import NewExecution, TriggeredBy
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.target import Concept
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.schedules import Tick

IDS = IdFactory()


def ticks(last: dict[str, int]) -> list[Tick]:
    """Make the next tick of each schedule, with an execution of its own."""
    ids = IDS.new_many(time.time_ns() // 1_000_000, len(last))
    return [
        Tick(
            target,
            at + 1,
            NewExecution(id=one, concept=Concept.JOB, target=target, triggered_by=TriggeredBy.CRON),
        )
        for one, (target, at) in zip(ids, last.items(), strict=True)
    ]


async def timed(times: list[float], call: Callable[[], Awaitable[object]]) -> None:
    begun = time.perf_counter()
    await call()
    times.append((time.perf_counter() - begun) * 1000)


def told(what: str, times: list[float]) -> None:
    half, worst = statistics.median(times), max(times)
    print(f"{what:<34} median {half:>7.2f} ms   worst {worst:>7.2f} ms", flush=True)


async def measure(engine: Engine, schedules: int, rounds: int) -> None:
    targets = [f"job-{number:04}" for number in range(schedules)]
    first: list[float] = []
    second: list[float] = []
    standings: list[float] = []
    plain: list[float] = []
    await engine.standing(targets)
    for _ in range(rounds):
        last = dict((await engine.standing(targets)).last)
        await timed(standings, lambda: engine.standing(targets))
        mine, theirs = ticks(last), ticks(last)
        await timed(first, lambda mine=mine: engine.enqueue_ticks(mine))
        requests = [each.request for each in ticks(last)]
        await timed(plain, lambda requests=requests: engine.enqueue_many(requests))
        await timed(second, lambda theirs=theirs: engine.enqueue_ticks(theirs))
    told(f"standing of {schedules}", standings)
    told(f"enqueue_many of {schedules}, to compare", plain)
    told(f"enqueue_ticks of {schedules}, the first", first)
    told(f"enqueue_ticks of {schedules}, the second", second)


async def main(arguments: argparse.Namespace) -> None:
    loaded = config.load(config.LoadOptions(environ=os.environ))
    if loaded.settings is None:
        raise SystemExit("\n".join(problem.message for problem in loaded.problems))
    async with wiring.open_engine(loaded.settings) as engine:
        print(config.resolve_provider(loaded.settings).provider.value)
        await measure(engine, arguments.schedules, arguments.rounds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--schedules", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=30)
    uvloop.run(main(parser.parse_args()))
