"""All runtimes of this installation: the seven of this package, and those that other packages register."""

from importlib.metadata import entry_points

from netscript_workers.authoring.task_types import GROUP
from netscript_workers.domain.target import TaskType
from netscript_workers.errors import DefinitionError
from netscript_workers.ports.runtime import Runtime
from netscript_workers.runtimes.cmd import CmdRuntime
from netscript_workers.runtimes.deno import DenoRuntime
from netscript_workers.runtimes.dotnet import DotnetRuntime
from netscript_workers.runtimes.executable import ExecutableRuntime
from netscript_workers.runtimes.powershell import PowershellRuntime
from netscript_workers.runtimes.python import PythonRuntime
from netscript_workers.runtimes.shell import ShellRuntime


class Runtimes:
    """Runtimes by the type of a task. Those of other packages are loaded when first asked for."""

    def __init__(self) -> None:
        self._loaded: dict[str, Runtime] = {
            TaskType.DENO: DenoRuntime(),
            TaskType.PYTHON: PythonRuntime(),
            TaskType.DOTNET: DotnetRuntime(),
            TaskType.CMD: CmdRuntime(),
            TaskType.POWERSHELL: PowershellRuntime(),
            TaskType.SHELL: ShellRuntime(),
            TaskType.EXECUTABLE: ExecutableRuntime(),
        }

    def get(self, type: str) -> Runtime:
        """Return the runtime of that type; raises `DefinitionError` when there is none or it cannot be loaded."""
        runtime = self._loaded.get(type)
        if runtime is None:
            runtime = self._loaded[type] = self._load(type)
        return runtime

    def _load(self, type: str) -> Runtime:
        found = [entry for entry in entry_points(group=GROUP) if entry.name == type]
        if not found:
            raise DefinitionError(
                f"no runtime {type!r} is installed here; there are {', '.join(self._loaded)}",
                hint=f"install the package that registers it in the entry point group {GROUP}",
            )
        if len(found) > 1:
            packages = ", ".join(entry.dist.name if entry.dist else entry.value for entry in found)
            raise DefinitionError(f"several packages register a runtime {type!r}: {packages}")
        try:
            made = found[0].load()()
        except Exception as error:
            raise DefinitionError(
                f"the runtime {type!r} ({found[0].value}) cannot be loaded: {error!r}"
            ) from error
        if not isinstance(made, Runtime):
            raise DefinitionError(f"{found[0].value} makes no runtime: it lacks `argv` or `tool`")
        return made
