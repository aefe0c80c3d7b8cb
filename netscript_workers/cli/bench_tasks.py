"""What a task costs beyond the bare start of its program, and how fast tasks go through a queue."""

import asyncio
import os
import shutil
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from netscript_workers.cli.bench_project import BenchProject
from netscript_workers.errors import WorkersError

if TYPE_CHECKING:
    from netscript_workers.domain.execution import LogLine, Progress

TASK: Final = "true"
CONFINED: Final = "true-confined"  # the same program, which may reach nothing
_RUN_BOUND_S: Final = 60.0


def add_task(project: BenchProject) -> None:
    """Give the project a task whose program does nothing: the system's own `true`."""
    found = shutil.which("true")
    if found is None:
        raise WorkersError(
            "there is no program `true` here, which tasks are measured with; leave them out with --only"
        )
    folder = project.directory / "workers" / "tasks"
    folder.mkdir(parents=True)
    shutil.copy(found, folder / "true")
    definition = (
        f'type = "executable"\nentrypoint = "true"\nmax_concurrency = {project.slots}\nmax_retries = 0\n'
    )
    with project.config.open("a") as file:
        file.write(f'\n[[tasks]]\nid = "{TASK}"\n{definition}')
        if sys.platform == "linux":
            file.write(f'\n[[tasks]]\nid = "{CONFINED}"\n{definition}permissions = {{}}\n')


def spawn_ms(project: BenchProject, count: int) -> list[float]:
    """Return how many ms each of `count` bare starts took, with the wait for the end."""
    path = str(project.directory / "workers" / "tasks" / "true")
    environment = dict(os.environ)
    taken: list[float] = []
    for _ in range(count):
        begun = time.perf_counter()
        pid = os.posix_spawn(path, [path], environment)
        os.waitpid(pid, 0)
        taken.append((time.perf_counter() - begun) * 1000)
    return taken


async def run_ms(project: BenchProject, count: int, task: str = TASK) -> tuple[list[float], list[float]]:
    """Return how many ms each of `count` runs of `task` took through its runner, and each bare start right beside it."""
    from netscript_workers import wiring
    from netscript_workers.domain.target import ProgramMode
    from netscript_workers.wiring.once import execution_of

    loaded = wiring.load_project(project.options())
    target = loaded.targets[task]
    runner = wiring.runners_for(loaded)[ProgramMode.PROGRAM]
    await runner.start()
    runs: list[float] = []
    spawns: list[float] = []
    try:
        for number in range(count + 1):
            begun = time.perf_counter()
            execution = execution_of(target, b"{}")
            async with asyncio.timeout(_RUN_BOUND_S):
                outcome = await runner.run(execution, target, 2**60, _Nobody())
            taken = (time.perf_counter() - begun) * 1000
            if outcome.exit_code != 0:
                raise WorkersError(f"a measured task failed: {outcome.error}")
            if number:  # the first one forks the process that keeps programs
                runs.append(taken)
                spawns += spawn_ms(project, 1)
    finally:
        await runner.stop(5_000)
    return runs, spawns


class _Nobody:
    """Hears what a run reports."""

    def progress(self, progress: "Progress") -> None:
        """Forget it."""

    def lines(self, lines: "Sequence[LogLine]") -> None:
        """Forget them."""
