"""Tasks: those of the config, and those that modules of the tasks directory define with `define_task`."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from netscript_workers.authoring.confine import ConfinementError, confine
from netscript_workers.authoring.loading import load_module
from netscript_workers.authoring.task import TaskBuilder, TaskDefinition
from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings, Found
from netscript_workers.catalog.walking import python_files
from netscript_workers.domain.target import Declaration, TaskType
from netscript_workers.errors import DefinitionError, ModuleLoadError

# A Python file in the tasks directory may be a task's program, which must not run because somebody looks at
# it: only one that speaks of this is imported.
_MARK = b"define_task"


def collect_tasks(
    root: Path, declarations: Sequence[Declaration], findings: Findings, *, require_permissions: bool = False
) -> None:
    """Find every task, the config's first. A task built in a module and named in the config too is a duplicate.

    `require_permissions`: one of a module without permissions is left out and reported.
    """
    for declaration in declarations:
        add_task(declaration, root, findings)
    for path in python_files(root, findings):
        if not _speaks_of_tasks(path, findings):
            continue
        try:
            module = load_module(path, str(root))
        except ModuleLoadError as error:
            findings.report(error, codes.IMPORT_FAILED)
            continue
        for declaration in _defined_in(module, path, findings):
            add_task(declaration, root, findings, require_permissions=require_permissions)


def add_task(
    declaration: Declaration, root: Path, findings: Findings, *, require_permissions: bool = False
) -> None:
    """Add a task whose program is in its directory; `require_permissions`: and that has permissions. Else report it."""
    if require_permissions and declaration.permissions is None:
        hint = "give it permissions, at least “none”"
        error = DefinitionError("it has no permissions, and require_permissions is set", hint=hint)
        findings.report(error, codes.NO_PERMISSIONS, declaration)
        return
    try:
        path = program(declaration, root)
    except ConfinementError as error:
        findings.report(error, codes.NOT_CONFINED, declaration)
        return
    findings.add(Found(layers=(declaration,), path=path, root=root.resolve()))


def program(declaration: Declaration, root: Path) -> str:
    """Return the absolute path of a task's program within `root`; raises `ConfinementError`."""
    path = confine(declaration.entrypoint or "", root)
    # `dotnet run --project` takes a directory; everything else is a file.
    if not Path(path).is_file() and declaration.type is not TaskType.DOTNET:
        raise ConfinementError(f"the entrypoint {declaration.entrypoint!r} is no file")
    return path


def _speaks_of_tasks(path: str, findings: Findings) -> bool:
    try:
        return _MARK in Path(path).read_bytes()
    except OSError as error:
        findings.report(
            DefinitionError(f"{path} cannot be read: {error.strerror}", file=path), codes.UNREADABLE
        )
        return False


def _defined_in(module: ModuleType, path: str, findings: Findings) -> Iterator[Declaration]:
    """Yield the tasks that a module built itself, not those it imported; complain of builders left unbuilt."""
    seen: set[int] = set()
    for name, value in list(vars(module).items()):
        if isinstance(value, TaskBuilder):
            findings.report(
                DefinitionError(
                    f"{path}: the task bound to {name!r} was never built",
                    file=path,
                    hint="end its definition with .build()",
                ),
                codes.BAD_DEFINITION,
            )
        elif isinstance(value, TaskDefinition) and id(value) not in seen and value.declaration.file == path:
            seen.add(id(value))
            yield value.declaration
