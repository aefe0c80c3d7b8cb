"""A runtime: how programs of one kind are started. A pure function; nothing is looked up, started or read here."""

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

import msgspec

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.target import Target


class Surroundings(msgspec.Struct, frozen=True, kw_only=True):
    """What the daemon hands down to every program that it runs.

    `project` is the directory that relative paths of a task start from, and where it runs unless it has a `cwd`. `environ` is
    the daemon's environment without its secrets. `secrets` are the variables left out of it: a task gets one of them by naming
    it in its `permissions.env` list.
    """

    project: str
    environ: Mapping[str, str]
    secrets: Mapping[str, str] = {}
    windows: bool = False


class TaskRun(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt of a task. `payload_file` is the file that holds a payload too big for an environment, else None."""

    target: Target
    execution: Execution
    surroundings: Surroundings
    payload_file: str | None = None


class Tool(msgspec.Struct, frozen=True):
    """The program that a runtime needs on the host: a name or path, and how to come by it."""

    program: str
    advice: str


@runtime_checkable
class Runtime(Protocol):
    """One kind of program. Register another one in the entry point group `netscript_workers.runtimes`, under its type's name."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line: the program, its own options, the entrypoint (`run.target.path`), the task's arguments.

        Raises `DefinitionError` for a task that cannot be run this way; it then fails for good.
        """
        ...

    def tool(self, target: Target, surroundings: Surroundings) -> Tool | None:
        """Return the program that such a task needs; None when it is its own."""
        ...


class Commands(Protocol):
    """All that runs tasks asks of the runtimes: the commands of runs, whatever their type."""

    def needs_file(self, payload: bytes) -> bool:
        """Tell whether a payload is too big for an environment, so that the run must have a `payload_file`."""
        ...

    def command(self, target: Target, execution: Execution, payload_file: str | None) -> CommandSpec:
        """Return the whole command of a run; raises `DefinitionError` for a task that cannot be run."""
        ...

    def missing_tool(self, target: Target) -> Tool | None:
        """Return the program that the task needs and this host has not; None when all is there."""
        ...
