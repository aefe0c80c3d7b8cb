"""What the contract tests of the runtimes share: one program in each language, the tools that run them, a runner."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from contracts.runners import Seen
from netscript_workers.domain.execution import Execution, Status, TriggeredBy
from netscript_workers.domain.target import Concept, Source, Target, TaskType
from netscript_workers.ports.runtime import Surroundings
from netscript_workers.runners.program import ProgramRunner
from netscript_workers.runtimes.commands import TaskCommands
from support import dotnet, services

PROGRAMS = Path(__file__).parent / "task_programs"
FAR_AWAY = 2**60
# Stands for a program that cannot be had here: writes down how it was called, then runs the entry with Python.
RECORDER = """#!{python}
import json, os, sys
with open(os.environ["RECORDED"], "w") as file:
    json.dump(sys.argv[1:], file)
entry = next(i for i, word in enumerate(sys.argv) if word.endswith(".py"))
os.execv({python!r}, [{python!r}, "-u", *sys.argv[entry:]])
"""


class Workbench:
    """A tasks directory, a directory of tools that stands first in PATH, and tasks of every type made there when asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tools = folder / "bin"
        self.tools.mkdir()
        self.recorded = folder / "recorded.json"

    def surroundings(self, **environ: str) -> Surroundings:
        return Surroundings(
            project=str(self.folder),
            environ={
                "PATH": f"{self.tools}{os.pathsep}{os.environ['PATH']}",
                "HOME": str(self.folder),
                "DENO_DIR": str(self.folder / "deno"),
                "NO_COLOR": "1",
                "RECORDED": str(self.recorded),
                **environ,
            },
        )

    def task(self, type: TaskType, *args: str, **fields: Any) -> Target:
        """A task of that type with the program of this suite; skipped with the reason where its tool cannot be had."""
        made: tuple[Path, dict[str, Any]] = getattr(self, f"_{type.value}")()
        path, metadata = made
        return self.target(
            path, type=type, args=args, **{"metadata": metadata, "env": {"MINE": "own"}, **fields}
        )

    def target(self, path: Path, **fields: Any) -> Target:
        return Target(
            id="echo",
            concept=Concept.TASK,
            source=Source.CONFIG,
            file="config.toml",
            path=str(path),
            entrypoint=path.name,
            **fields,
        )

    def script(self, text: str, name: str = "task.sh", **fields: Any) -> Target:
        path = self.folder / name
        path.write_text(text)
        return self.target(path, **{"type": TaskType.SHELL, **fields})

    def _copy(self, name: str) -> Path:
        return Path(shutil.copy(PROGRAMS / name, self.folder / name))

    def _deno(self) -> tuple[Path, dict[str, Any]]:
        real = services.program("deno", "`make setup` installs it from PyPI")
        self._tool("deno", f'#!/bin/sh\nexec "{real}" "$@"\n')
        return self._copy("echo.ts"), {}

    def _python(self) -> tuple[Path, dict[str, Any]]:
        venv.create(self.folder / "venv", symlinks=True, with_pip=False)
        return self._copy("echo.py"), {"pythonConfig": {"venvPath": "venv"}}

    def _shell(self) -> tuple[Path, dict[str, Any]]:
        return self._copy("echo.sh"), {}

    def _executable(self) -> tuple[Path, dict[str, Any]]:
        compiler = shutil.which("cc") or shutil.which("gcc")
        path = self.folder / "echo"
        if compiler is None:  # a script is a program too
            path.write_text(f"#!{sys.executable} -u\n" + (PROGRAMS / "echo.py").read_text())
            path.chmod(0o755)
        else:
            subprocess.run([compiler, "-o", path, PROGRAMS / "echo.c"], check=True, timeout=50)
        return path, {}

    def _dotnet(self) -> tuple[Path, dict[str, Any]]:
        (self.tools / "dotnet").symlink_to(dotnet.host())
        path = dotnet.compiled(PROGRAMS / "echo.cs", self.folder / "echo.dll")
        return path, {}

    def _powershell(self) -> tuple[Path, dict[str, Any]]:
        self._tool("pwsh", RECORDER.format(python=sys.executable))
        return self._copy("echo.py"), {}

    def _cmd(self) -> tuple[Path, dict[str, Any]]:
        self._tool("cmd.exe", RECORDER.format(python=sys.executable))
        return self._copy("echo.py"), {}

    def _tool(self, name: str, text: str) -> None:
        path = self.tools / name
        path.write_text(text)
        path.chmod(0o755)


@asynccontextmanager
async def programs(surroundings: Surroundings, **options: Any) -> AsyncIterator[ProgramRunner]:
    runner = ProgramRunner(TaskCommands(surroundings), **options)
    await runner.start()
    try:
        yield runner
    finally:
        await runner.stop(5_000)


def run_of(target: Target, payload: Any = None, **fields: Any) -> Execution:
    return Execution(
        **{
            "id": "run-1",
            "concept": Concept.TASK,
            "target": target.id,
            "topic": "default",
            "status": Status.RUNNING,
            "triggered_by": TriggeredBy.MANUAL,
            "triggered_at": 0,
            "payload": json.dumps({} if payload is None else payload).encode(),
            "priority": 50,
            "attempt": 1,
            "max_attempts": 2,
            **fields,
        }
    )


async def run(
    runner: ProgramRunner, target: Target, payload: Any = None, seen: Seen | None = None, **fields: Any
):
    return await runner.run(run_of(target, payload, **fields), target, FAR_AWAY, seen or Seen())
