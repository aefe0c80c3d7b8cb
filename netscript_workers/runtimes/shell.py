"""Shell scripts."""

from typing import Final

from netscript_workers.domain.runtime_settings import SHELL, settings_in
from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool
from netscript_workers.runtimes.paths import program_from

_BASH: Final = "/bin/bash"


class ShellRuntime:
    """`/bin/bash [-l] entry args…`; `shell_config.shell` names another shell, `login_shell` makes it a login shell."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target = run.target
        login = ("-l",) if settings_in(target.metadata, SHELL).get("login_shell", False) else ()
        return (self.tool(target, run.surroundings).program, *login, target.path, *target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool:
        """Return the shell."""
        named = settings_in(target.metadata, SHELL).get("shell", _BASH)
        return Tool(
            program_from(named, surroundings.project),
            "install it, or name another shell: metadata.shell_config.shell",
        )
