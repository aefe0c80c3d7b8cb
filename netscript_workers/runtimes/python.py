"""Programs in Python, with the interpreter or the virtual environment of their own choice."""

from typing import Final

from netscript_workers.domain.runtime_settings import PYTHON, settings_in
from netscript_workers.domain.target import Target
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool
from netscript_workers.runtimes.paths import from_project, program_from

_ADVICE: Final = "install it, or name another one: metadata.python_config.python_path or venv_path, or NETSCRIPT_PYTHON_PATH"


class PythonRuntime:
    """`pythonPath | venvPath/bin/python | NETSCRIPT_PYTHON_PATH | python3` `-u entry args…`."""

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target = run.target
        return (self.tool(target, run.surroundings).program, "-u", target.path, *target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool:
        """Return the interpreter."""
        settings = settings_in(target.metadata, PYTHON)
        windows, project = surroundings.windows, surroundings.project
        if path := settings.get("python_path"):
            return Tool(program_from(path, project), _ADVICE)
        if venv := settings.get("venv_path"):
            inside = "Scripts/python.exe" if windows else "bin/python"
            return Tool(f"{from_project(venv, project)}/{inside}", f"make it with python3 -m venv {venv}")
        named = surroundings.environ.get("NETSCRIPT_PYTHON_PATH") or ("python" if windows else "python3")
        return Tool(program_from(named, project), _ADVICE)
