"""What runs tasks asks of the runtimes, answered for one daemon."""

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.target import Target, TaskType
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool
from netscript_workers.runtimes.checks import missing_tool
from netscript_workers.runtimes.command import command_for, needs_file
from netscript_workers.runtimes.plugins import Runtimes


class TaskCommands:
    """Implements `ports.runtime.Commands` over all runtimes of this installation."""

    def __init__(self, surroundings: Surroundings, runtimes: Runtimes | None = None) -> None:
        self._surroundings = surroundings
        self._runtimes = runtimes or Runtimes()

    def needs_file(self, payload: bytes) -> bool:
        """Tell whether a payload is too big for an environment."""
        return needs_file(payload)

    def command(self, target: Target, execution: Execution, payload_file: str | None) -> CommandSpec:
        """Return the whole command of a run."""
        run = TaskRun(
            target=target, execution=execution, surroundings=self._surroundings, payload_file=payload_file
        )
        return command_for(self._runtimes.get(target.type or TaskType.DENO), run)

    def missing_tool(self, target: Target) -> Tool | None:
        """Return the program that the task needs and this host has not."""
        return missing_tool(self._runtimes.get(target.type or TaskType.DENO), target, self._surroundings)
