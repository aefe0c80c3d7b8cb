"""What `workers doctor` asks of the project: its config, its jobs, its queue's file."""

import os
import shutil
import threading
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from netscript_workers.cli import doctor_database
from netscript_workers.cli.doctor_finding import Finding, State
from netscript_workers.cli.render import count
from netscript_workers.domain.problem import Severity
from netscript_workers.domain.target import Concept

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions, Settings
    from netscript_workers.wiring.project import Project

_GIB: Final = 2**30
_LITTLE_DISK: Final = 1 * _GIB
_THREADS: Final = Path("/proc/self/task")


def findings(options: "LoadOptions") -> Iterator[Finding]:
    """Look at the project that `options` name. Imports its job modules, reaches its database and writes nothing."""
    from netscript_workers import config
    from netscript_workers.wiring.project import told

    loaded = config.load(options)
    file = str(loaded.file) if loaded.file else "none found: defaults are used"
    errors = [problem for problem in loaded.problems if problem.severity is Severity.ERROR]
    if loaded.settings is None:
        first = f", first: {told(errors[0])}" if errors else ""
        yield Finding(
            "config", State.PROBLEM, f"{file}, {count(len(errors), 'error')}{first}", "See: workers validate"
        )
        return
    yield Finding("config", State.OK if loaded.file else State.INFO, file)
    project = yield from _targets(options)
    yield from _tools(project)
    yield from _queue_file(loaded.settings)
    yield from doctor_database.findings(loaded.settings)


def _targets(options: "LoadOptions") -> Generator[Finding, None, "Project"]:
    from netscript_workers import wiring

    before = _running_threads()
    project = wiring.load_project(options)
    started = _running_threads() - before
    problems = [problem for problem in project.catalog.problems if problem.severity is Severity.ERROR]
    found = f"{count(len(project.catalog.targets), 'target')}, {count(len(problems), 'error')}"
    state = State.PROBLEM if problems else State.OK
    yield Finding("jobs and tasks", state, found, "See: workers validate" if problems else "")
    if started > 0:
        yield Finding(
            "fork safety",
            State.WARNING,
            f"importing the jobs starts {count(started, 'thread')}",
            "Slots then start interpreters from scratch instead of forking. Start threads inside the handler.",
        )
    else:
        yield Finding("fork safety", State.OK, "no job module starts a thread when imported")
    return project


def _tools(project: "Project") -> Iterator[Finding]:
    """Whether the programs that the enabled tasks need are here."""
    from netscript_workers.wiring.programs import task_commands

    commands = task_commands(project)
    tasks = [each for each in project.targets.values() if each.concept is Concept.TASK and each.enabled]
    missing: dict[str, list[str]] = {}
    advice: dict[str, str] = {}
    for task in tasks:
        tool = commands.missing_tool(task)
        if tool is not None:
            missing.setdefault(tool.program, []).append(task.id)
            advice[tool.program] = tool.advice
    for program, ids in missing.items():
        yield Finding("task tools", State.WARNING, f"no {program}, for {', '.join(ids)}", advice[program])
    if tasks and not missing:
        yield Finding("task tools", State.OK, f"{count(len(tasks), 'task')}: every program they need is here")


def _running_threads() -> int:
    """Count the threads of this process, those of native libraries included where the system tells."""
    return len(list(_THREADS.iterdir())) if _THREADS.is_dir() else threading.active_count()


def _queue_file(settings: "Settings") -> Iterator[Finding]:
    path = Path(settings.connections.deno_kv_path)
    folder = path.parent
    while not folder.exists():
        folder = folder.parent
    if path.exists():
        usable = os.access(path, os.R_OK | os.W_OK) and os.access(folder, os.W_OK)
        found = f"{path}, {path.stat().st_size / 2**20:.1f} MB"
    else:
        usable = os.access(folder, os.W_OK | os.X_OK)
        found = f"{path}, not there yet"
    advice = "" if usable else f"The file and its directory must be writable for this user ({_who()})."
    yield Finding("queue file", State.OK if usable else State.PROBLEM, found, advice)
    free = shutil.disk_usage(folder).free
    little = free < _LITTLE_DISK
    advice = "The queue refuses work when the disk is full; free some space." if little else ""
    yield Finding(
        "free disk",
        State.WARNING if little else State.OK,
        f"{free / _GIB:.1f} GB beside the queue file",
        advice,
    )


def _who() -> str:
    return f"uid {os.getuid()}" if hasattr(os, "getuid") else "this user"
