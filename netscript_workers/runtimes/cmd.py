"""Batch files of Windows."""

from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool


class CmdRuntime:
    """`cmd.exe /c entry args…`."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target = run.target
        return (self.tool(target, run.surroundings).program, "/c", target.path, *target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool:
        """Return the command interpreter of Windows."""
        return Tool("cmd.exe", "it is a part of Windows; elsewhere write the task for another runtime")
