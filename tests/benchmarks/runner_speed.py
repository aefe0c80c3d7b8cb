"""Measures the runners alone: `python tests/benchmarks/runner_speed.py`. No verdict; the machine decides.

Prints no-op runs per second through `run()` for each mode, and the memory (PSS) of a warm slot.
"""

# ruff: noqa: T201 - it prints what it measured

import asyncio
import sys
import time
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parents[1]))

from contracts import runners
from netscript_workers.domain.target import RunnerMode
from netscript_workers.ports.runner import Runner

ROUNDS = 3


async def rate(runner: Runner, name: str, runs: int, at_once: int) -> float:
    execution, target, seen = runners.execution(name), runners.target(name), runners.Seen()

    async def one_after_another() -> None:
        for _ in range(runs // at_once):
            await runner.run(execution, target, 0, seen)

    began = time.perf_counter()
    await asyncio.gather(*(one_after_another() for _ in range(at_once)))
    return runs / (time.perf_counter() - began)


async def main() -> None:
    plan = (
        (RunnerMode.IN_PROCESS, "nothing_async", 100_000, 50),
        (RunnerMode.IN_PROCESS, "nothing", 20_000, 8),
        (RunnerMode.WEB_WORKER, "nothing_async", 20_000, 2),
        (RunnerMode.WEB_WORKER, "nothing", 20_000, 2),
        (RunnerMode.SUBPROCESS, "nothing_async", 1_000, 2),
        (RunnerMode.SUBPROCESS, "nothing", 1_000, 2),
    )
    for mode, name, runs, at_once in plan:
        async with runners.running(mode) as runner:
            await rate(runner, name, runs // 10, at_once)
            rates = sorted([await rate(runner, name, runs, at_once) for _ in range(ROUNDS)])
            print(
                f"{mode:10} {name:14} {at_once:3} at once: {rates[ROUNDS // 2]:9,.0f} runs/s (best {rates[-1]:,.0f})"
            )
            if mode is RunnerMode.WEB_WORKER:
                held = [(report.memory or 0) / 1e6 for report in runner.slots()]
                print(
                    f"{'':10} memory of each warm slot (PSS): {', '.join(f'{each:.1f} MB' for each in held)}"
                )


if __name__ == "__main__":
    uvloop.run(main())
