"""The parts of `workers bench`: what each measures, how often, and under which names it is reported."""

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from statistics import median
from typing import Final

from netscript_workers.cli import bench_footprint, bench_idle, bench_rates, bench_tasks
from netscript_workers.cli.bench_figures import Figure, percentile
from netscript_workers.cli.bench_project import BenchGround

IN_PROCESS: Final = "in-process"
WARM: Final = "web-worker"
FRESH: Final = "subprocess"
_MANY: Final = 100
_TWO: Final = 2
_WARM_SLOTS: Final = 10
_TASK_SLOTS: Final = 10
_BUSY_MS: Final = 20


class Part(StrEnum):
    """What can be chosen with `--only`."""

    ENQUEUE = "enqueue"
    RUNS = "runs"
    FRESH = "fresh"
    TASKS = "tasks"
    LATENCY = "latency"
    IDLE = "idle"
    CPU = "cpu"
    HISTORY = "history"


@dataclass(frozen=True)
class Plan:
    """How much is measured: `scale` multiplies every count, `idle_s` is how long an idle daemon is watched."""

    ground: BenchGround
    repeat: int
    scale: float
    idle_s: float
    history: int

    def count(self, full: int) -> int:
        """Scale a count, down to 10."""
        return max(10, round(full * self.scale))


@dataclass(frozen=True)
class Step:
    """One thing to measure; `run` returns its figures."""

    part: Part
    title: str
    run: Callable[[], Awaitable[list[Figure]]]


def steps(plan: Plan) -> Iterator[Step]:
    """Yield every step in order; the history step only when the plan has a history."""
    yield Step(Part.ENQUEUE, "enqueueing in bulk", lambda: _enqueue(plan))
    yield Step(
        Part.RUNS, "no-op runs, in-process", lambda: _runs(plan, IN_PROCESS, _MANY, plan.count(40_000))
    )
    yield Step(Part.RUNS, "no-op runs, web-worker", lambda: _runs(plan, WARM, _TWO, plan.count(15_000)))
    yield Step(Part.FRESH, "no-op runs, subprocess", lambda: _runs(plan, FRESH, _TWO, plan.count(1_000)))
    if os.name == "posix":
        yield Step(Part.TASKS, "tasks beside bare starts of their program", lambda: _tasks(plan))
    yield Step(Part.LATENCY, "latency, in-process", lambda: _latency(plan, IN_PROCESS))
    yield Step(Part.LATENCY, "latency, web-worker", lambda: _latency(plan, WARM))
    if bench_footprint.available():
        yield Step(Part.IDLE, "an idle daemon, in-process", lambda: _idle(plan, IN_PROCESS, _TWO))
        yield Step(Part.IDLE, "an idle daemon and warm slots", lambda: _idle(plan, WARM, _WARM_SLOTS))
    yield Step(Part.CPU, "runs that keep a processor busy", lambda: _cpu(plan))
    if plan.history:
        yield Step(Part.HISTORY, f"no-op runs behind {plan.history:,} finished ones", lambda: _history(plan))


async def _enqueue(plan: Plan) -> list[Figure]:
    runs = plan.count(30_000)
    rates = [
        await bench_rates.enqueue_rate(plan.ground.project(WARM, _TWO), runs) for _ in range(plan.repeat)
    ]
    return [Figure("enqueue", "/s", tuple(rates), f"{runs:,} through one Client.trigger_many")]


async def _runs(plan: Plan, mode: str, slots: int, runs: int) -> list[Figure]:
    rates = [await bench_rates.run_rate(plan.ground.project(mode, slots), runs) for _ in range(plan.repeat)]
    return [Figure(f"runs {mode}", "/s", tuple(rates), f"{runs:,} no-ops, {slots} slots, history kept")]


async def _tasks(plan: Plan) -> list[Figure]:
    samples, runs = plan.count(300), plan.count(3_000)
    added: list[float] = []
    confined: list[float] = []
    bare: list[float] = []
    rates: list[float] = []
    ratios: list[float] = []
    for _ in range(plan.repeat):
        project = plan.ground.project(WARM, _TASK_SLOTS)
        bench_tasks.add_task(project)
        through, beside = await bench_tasks.run_ms(project, samples)
        bare.append(median(beside))
        added.append(median(through) - median(beside))
        if sys.platform == "linux":
            through, beside = await bench_tasks.run_ms(project, samples, bench_tasks.CONFINED)
            confined.append(median(through) - median(beside))
        rates.append(await bench_rates.run_rate(project, runs, bench_tasks.TASK))
        alone = bench_tasks.spawn_ms(project, samples)
        ratios.append(rates[-1] * sum(alone) / len(alone) / 1000)
    how = f"median of {samples}, each beside a bare one"
    return [
        Figure("bare start of `true`", "ms", tuple(bare), f"posix_spawn and wait, {how}"),
        Figure("a task adds", "ms", tuple(added), how),
        *(
            [Figure("a confined task adds", "ms", tuple(confined), f"no permission at all; {how}")]
            if confined
            else []
        ),
        Figure(
            "runs of a task", "/s", tuple(rates), f"{runs:,} of `true`, {_TASK_SLOTS} slots, history kept"
        ),
        Figure(
            "runs / bare starts", "x", tuple(ratios), "against one process that spawns and waits in a loop"
        ),
    ]


async def _latency(plan: Plan, mode: str) -> list[Figure]:
    samples = plan.count(300)
    rounds = [
        await bench_idle.latencies(plan.ground.project(mode, _TWO), samples) for _ in range(plan.repeat)
    ]
    how = f"trigger in another process to handler start, {samples} each"
    return [
        Figure(f"latency {mode} {label}", "ms", tuple(percentile(each, share) for each in rounds), how)
        for label, share in (("p50", 0.50), ("p95", 0.95), ("p99", 0.99))
    ]


async def _idle(plan: Plan, mode: str, slots: int) -> list[Figure]:
    found = await bench_idle.footprint(plan.ground.project(mode, slots), plan.idle_s)
    figures = [
        Figure(
            f"idle memory {mode}", "MB", (found.idle_memory,), "PSS of all the daemon's processes, no run yet"
        ),
        Figure(f"idle processor {mode}", "% of a core", (found.idle_processor,), f"over {plan.idle_s:g} s"),
    ]
    if found.slot_memory is not None:
        figures.append(
            Figure("warm slot", "MB", (found.slot_memory,), f"PSS that each of slots 3 to {slots} adds")
        )
    return figures


async def _cpu(plan: Plan) -> list[Figure]:
    runs = plan.count(200)
    ratios = [
        await bench_rates.processor_ratio(plan.ground.project(WARM, _TWO), runs, _BUSY_MS)
        for _ in range(plan.repeat)
    ]
    how = f"{runs} runs of {_BUSY_MS} ms, 2 warm slots; 1 is the ideal"
    return [Figure("busy runs, wall / ideal", "x", tuple(ratios), how)]


async def _history(plan: Plan) -> list[Figure]:
    runs = plan.count(40_000)
    empty = [
        await bench_rates.run_rate(plan.ground.project(IN_PROCESS, _MANY), runs) for _ in range(plan.repeat)
    ]
    crowded = plan.ground.project(IN_PROCESS, _MANY)
    await bench_rates.fill(crowded, plan.history, plan.history // 10)
    full = await bench_rates.run_rate(crowded, runs)
    how = f"behind {plan.history:,} finished and {plan.history // 10:,} delayed"
    best = sorted(empty)[len(empty) // 2]
    return [
        Figure("runs in-process, full", "/s", (full,), f"{runs:,} no-ops {how}"),
        Figure("full / empty", "x", (full / best,), "1 is no loss"),
    ]
