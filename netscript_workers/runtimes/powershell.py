"""PowerShell scripts."""

from typing import Final

from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool

_OPTIONS: Final = ("-NoProfile", "-NonInteractive", "-ExecutionPolicy", "Bypass", "-File")


class PowershellRuntime:
    """`pwsh` (`powershell` on Windows) `-NoProfile -NonInteractive -ExecutionPolicy Bypass -File entry args…`."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target = run.target
        return (self.tool(target, run.surroundings).program, *_OPTIONS, target.path, *target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool:
        """Return PowerShell."""
        name = "powershell" if surroundings.windows else "pwsh"
        return Tool(name, "install PowerShell: https://aka.ms/powershell")
