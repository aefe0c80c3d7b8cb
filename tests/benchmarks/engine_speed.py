"""How fast an engine alone is: enqueue, claim and settle in batches, with and without a history behind them.

    .venv/bin/python tests/benchmarks/engine_speed.py [--history 1000000] [--runs 20000] [--batch 100]

The engine is the one that the configuration and the environment choose (WORKERS_QUEUE_PROVIDER, REDIS_URL, …); nothing else
should use its queue name (WORKERS_QUEUE) meanwhile.
"""

# ruff: noqa: T201 - it prints what it measured

import argparse
import os
import time

import uvloop

from netscript_workers import config, wiring
from netscript_workers.domain.execution import NewExecution
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.outcome import succeeded
from netscript_workers.domain.retry import RetryPolicy
from netscript_workers.domain.settlement import Retain, decide
from netscript_workers.domain.target import Concept
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.queue import ClaimRequest, LaneDemand

DAY_MS = 86_400_000
PAYLOAD = b'{"text":"' + b"x" * 90 + b'"}'
IDS = IdFactory()


async def put(engine: Engine, count: int, delay_ms: int = 0) -> None:
    for start in range(0, count, 1_000):
        ids = IDS.new_many(time.time_ns() // 1_000_000, min(1_000, count - start))
        await engine.enqueue_many(
            [
                NewExecution(id=one, concept=Concept.JOB, target="noop", payload=PAYLOAD, delay_ms=delay_ms)
                for one in ids
            ]
        )


async def work(engine: Engine, batch: int) -> int:
    """Claim and settle until nothing is left; return how many there were."""
    request = ClaimRequest(
        worker_id="bench",
        lease_ms=60_000,
        total=batch,
        lanes=(LaneDemand(("default",), batch),),
        target_limits={},
    )
    policy, retain = RetryPolicy(), Retain(7 * DAY_MS, 90 * DAY_MS)
    done = 0
    while claimed := await engine.claim_many(request):
        now = time.time_ns() // 1_000_000
        await engine.settle_many(
            [decide(one, succeeded(b"null"), policy, retain, now, started_at=now) for one in claimed]
        )
        done += len(claimed)
    return done


async def measure(engine: Engine, runs: int, batch: int) -> None:
    begun = time.perf_counter()
    await put(engine, runs)
    between = time.perf_counter()
    done = await work(engine, batch)
    ended = time.perf_counter()
    print(f"enqueue in thousands  {runs / (between - begun):>10,.0f}/s")
    print(f"claim and settle {batch:>4} {done / (ended - between):>10,.0f}/s", flush=True)


async def main(arguments: argparse.Namespace) -> None:
    loaded = config.load(config.LoadOptions(environ=os.environ))
    if loaded.settings is None:
        raise SystemExit("\n".join(problem.message for problem in loaded.problems))
    async with wiring.open_engine(loaded.settings) as engine:
        print(f"{config.resolve_provider(loaded.settings).provider.value}, as it is")
        await measure(engine, arguments.runs, arguments.batch)
        if arguments.history:
            await put(engine, arguments.history // 10, delay_ms=DAY_MS)
            for _ in range(0, arguments.history, 20_000):
                await put(engine, 20_000)
                await work(engine, 1_000)
            print(f"behind {arguments.history:,} finished and {arguments.history // 10:,} delayed")
            await measure(engine, arguments.runs, arguments.batch)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--history", type=int, default=0, help="finished executions to put behind it")
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=100)
    uvloop.run(main(parser.parse_args()))
