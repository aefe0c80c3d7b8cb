"""Programs that need nothing to run them."""

from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool


class ExecutableRuntime:
    """`entry args…`."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        return (run.target.path, *run.target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool | None:
        """Return None: the program is the task's own."""
        return None
