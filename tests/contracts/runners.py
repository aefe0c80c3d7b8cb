"""What the contract tests of the runners share: the three modes, an execution, an observer that can be waited for."""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.execution import Execution, LogLine, Progress, Status, TriggeredBy
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.permissions import PRESETS
from netscript_workers.domain.target import Concept, ConfinedMode, Mode, RunnerMode, Source, Target
from netscript_workers.ports.runner import Runner
from netscript_workers.runners.fleet import build_runners
from netscript_workers.runners.granted import GrantedJobs
from netscript_workers.sandbox.kernel_sandbox import KernelSandbox, Strictness

# A job with permissions runs in a confined process of its own: with all that can be granted it must not be told apart.
CONFINED = (ConfinedMode.CONFINED,) if sys.platform == "linux" else ()
JOBS = Path(__file__).parent / "runner_jobs"
HANDLERS = {
    "plain": (
        *("echo", "echo_async", "nothing", "nothing_async", "fails", "raises", "raises_async"),
        *("aborts", "typed", "not_json", "exits"),
    ),
    "telling": (
        *(
            "progresses",
            "logs",
            "logs_much",
            "prints",
            "prints_async",
            "prints_much",
            "prints_long",
            "prints_below",
        ),
        *("big", "where"),
    ),
    "looping": ("goes_round", "woken_by_thread", "takes_signal", "runs_program", "talks_to_itself"),
    "stubborn": ("sleeps", "sleeps_async", "swallows", "spins", "blocks_signals", "obeys"),
    "crashing": (
        *("exits_hard", "segfaults", "kills_itself", "fills_memory", "holds_memory"),
        *("leaves_child", "leaves_talker", "leaves_daemon", "leaves_daemon_and_hangs"),
    ),
}
MODES: tuple[Mode, ...] = (*RunnerMode, *CONFINED)
ISOLATED: tuple[Mode, ...] = (RunnerMode.WEB_WORKER, RunnerMode.SUBPROCESS, *CONFINED)
PATIENCE = 20.0


def refs() -> list[HandlerRef]:
    return [
        HandlerRef(name, str(JOBS / f"{module}.py"), name)
        for module, names in HANDLERS.items()
        for name in names
    ]


def granted_all() -> GrantedJobs:
    ids = frozenset(ref.target_id for ref in refs())
    return GrantedJobs(ids=ids, handlers=refs(), environment=os.environ)


@asynccontextmanager
async def running(mode: Mode, **limits: Any) -> AsyncIterator[Runner]:
    is_confined = mode is ConfinedMode.CONFINED
    runner = build_runners(
        modes={mode},
        handlers=() if is_confined else refs(),
        root=str(JOBS),
        sandbox=KernelSandbox(Strictness.REQUIRE),
        granted=[granted_all()] if is_confined else (),
        **limits,
    )[mode]
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop(2_000)


class Seen:
    """Keeps what a run reports; `until` waits for it."""

    def __init__(self) -> None:
        self.all_lines: list[LogLine] = []
        self.reports: list[Progress] = []
        self._changed = asyncio.Event()

    def progress(self, progress: Progress) -> None:
        self.reports.append(progress)
        self._changed.set()

    def lines(self, lines: Sequence[LogLine]) -> None:
        self.all_lines += lines
        self._changed.set()

    def of(self, stream: str) -> list[str]:
        return [line.line for line in self.all_lines if line.stream == stream]

    async def until(self, holds: Callable[["Seen"], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def under_way(self) -> None:
        await self.until(lambda seen: seen.of("log"))


def execution(name: str, payload: Any = None, attempt: int = 1) -> Execution:
    return Execution(
        id=f"run-of-{name}",
        concept=Concept.JOB,
        target=name,
        topic="default",
        status=Status.RUNNING,
        triggered_by=TriggeredBy.MANUAL,
        triggered_at=0,
        payload=json.dumps(payload or {}).encode(),
        priority=50,
        attempt=attempt,
        max_attempts=4,
    )


def target(name: str) -> Target:
    return Target(
        id=name,
        concept=Concept.JOB,
        source=Source.DIRECTORY,
        file="",
        path="",
        permissions=PRESETS["all_access"],
    )


async def run(runner: Runner, name: str, payload: Any = None, seen: Seen | None = None) -> Outcome:
    deadline = time.time_ns() // 1_000_000 + 60_000
    return await runner.run(execution(name, payload), target(name), deadline, seen or Seen())


async def stopped(runner: Runner, name: str, payload: Any = None) -> tuple[Seen, float]:
    """Start a run, wait until the handler is under way, cancel; returns what was seen and how many seconds the end took."""
    seen = Seen()
    task = asyncio.ensure_future(run(runner, name, payload, seen))
    await seen.under_way()
    began = time.monotonic()
    task.cancel()
    await asyncio.wait({task}, timeout=PATIENCE)
    assert task.cancelled()
    return seen, time.monotonic() - began


async def until_gone(pid: int) -> None:
    """Wait until no process has that id (a zombie still has)."""
    async with asyncio.timeout(PATIENCE):
        while Path(f"/proc/{pid}").exists():
            await asyncio.sleep(0.01)


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()
