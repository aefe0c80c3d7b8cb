"""The programs that tasks need, and which of them are missing on this host."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

from netscript_workers.config.place import Place, problem_at
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.runtime_settings import PYTHON, SHELL, RuntimeSettingError, settings_in
from netscript_workers.domain.target import Concept, Target, TaskType

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings

_PROGRAMS: Final[Mapping[str, tuple[str, str]]] = {
    TaskType.DENO: ("deno", "DENO_EXECUTABLE"),
    TaskType.PYTHON: ("python3", "NETSCRIPT_PYTHON_PATH"),
    TaskType.DOTNET: ("dotnet", ""),
    TaskType.POWERSHELL: ("powershell" if sys.platform == "win32" else "pwsh", ""),
    TaskType.SHELL: ("/bin/bash", ""),
    TaskType.CMD: ("cmd.exe", ""),
}


def _has_its_own(task: Target) -> bool:
    """Tell whether a task names the program that runs it; `workers doctor` looks for that one."""
    try:
        python, shell = settings_in(task.metadata, PYTHON), settings_in(task.metadata, SHELL)
    except RuntimeSettingError:
        return True
    return bool(python) if task.type == TaskType.PYTHON else "shell" in shell


def missing_tools(
    settings: "Settings", targets: Mapping[str, Target], environ: Mapping[str, str]
) -> Iterator[Problem]:
    """Yield one warning for each program that an enabled task needs and this host has not."""
    places = {declaration.id: place for place, declaration in settings.placed_declarations()}
    needed: dict[str, tuple[Target, str]] = {}
    for target in targets.values():
        if target.concept is not Concept.TASK or not target.enabled or target.type is None:
            continue
        if target.type in _PROGRAMS and not _has_its_own(target):
            program, variable = _PROGRAMS[target.type]
            needed.setdefault(environ.get(variable) or program, (target, variable))
    for program, (target, variable) in needed.items():
        if shutil.which(program, path=environ.get("PATH")) is None:
            place = places.get(target.id, Place(file=target.file))
            hint = f"install it, or name it in {variable}" if variable else "install it"
            message = f"“{target.id}” needs {program}, which is not on this host"
            yield problem_at(
                "W005", settings.place_of(*place.path, "type") if place.path else place, message, hint
            )
