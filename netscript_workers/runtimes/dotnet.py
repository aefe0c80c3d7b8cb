"""Programs for .NET: a source file, a project, a built library, or a program of its own."""

from typing import Final

from netscript_workers.domain.runtime_settings import DOTNET, settings_in
from netscript_workers.domain.target import Target
from netscript_workers.errors import DefinitionError
from netscript_workers.ports.runtime import Surroundings, TaskRun, Tool

_PROJECTS: Final = (".csproj", ".fsproj", ".vbproj")
_TOOL: Final = Tool("dotnet", "install the .NET SDK, or the runtime for a .dll: https://dotnet.microsoft.com")


class DotnetRuntime:
    """`.cs`: `dotnet run entry`; a project: `dotnet run --project entry`; `.dll`: `dotnet entry`; else the program itself.

    `dotnet_config.runtime_args` stand behind `dotnet` or `dotnet run`, `use_dotnet_run` decides about `dotnet run` by itself.
    """

    def argv(self, run: TaskRun) -> tuple[str, ...]:
        """Return the command line."""
        target = run.target
        settings = settings_in(target.metadata, DOTNET)
        options: tuple[str, ...] = settings.get("runtime_args", ())
        kind = _kind(target)
        if settings.get("use_dotnet_run", kind in ("source", "project")):
            named = (target.path,) if kind == "source" else ("--project", target.path)
            own = ("--", *target.args) if target.args else ()  # else dotnet takes them for its own
            return (_TOOL.program, "run", *options, *named, *own)
        if kind == "library":
            return (_TOOL.program, *options, target.path, *target.args)
        if kind != "program":
            raise DefinitionError(
                f"{target.entrypoint} is source, and dotnet_config.use_dotnet_run is false",
                hint="build it and name the .dll, or leave use_dotnet_run out",
            )
        if options:
            raise DefinitionError(
                f"{target.entrypoint} is a program of its own, which takes no dotnet_config.runtime_args",
                hint="write them as args",
            )
        return (target.path, *target.args)

    def tool(self, target: Target, surroundings: Surroundings) -> Tool | None:
        """Return `dotnet`, unless the task is a program of its own."""
        runs = settings_in(target.metadata, DOTNET).get("use_dotnet_run", False)
        return None if _kind(target) == "program" and not runs else _TOOL


def _kind(target: Target) -> str:
    """Tell by the name alone: nothing on the disk is looked at."""
    path = target.path.lower()
    if path.endswith(".cs"):
        return "source"
    if path.endswith(_PROJECTS) or target.entrypoint.endswith("/") or target.entrypoint in (".", "./"):
        return "project"
    return "library" if path.endswith(".dll") else "program"
