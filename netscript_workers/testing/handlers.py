"""From functions to handlers and a catalog, without a directory to scan."""

import inspect
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from netscript_workers.authoring.definition import definition_of
from netscript_workers.authoring.handler import Handler, build_handler
from netscript_workers.catalog import Catalog, CatalogSources
from netscript_workers.catalog.found import Findings, Found
from netscript_workers.catalog.resolving import resolve
from netscript_workers.domain.ids import kebab
from netscript_workers.domain.target import RunnerMode
from netscript_workers.errors import DefinitionError, UnknownTargetError


def handler_for(function: Callable[..., Any]) -> Handler:
    """Make the handler of a function: under the id of its `@job`, else under its name in kebab-case."""
    definition = definition_of(function)
    name = getattr(function, "__name__", type(function).__name__)
    target_id = (definition.id if definition else None) or kebab(name) or "handler"
    return build_handler(function, target_id, file=_file_of(function))


def find_handler(job: Callable[..., Any] | str, config: str | os.PathLike[str] | None) -> Handler:
    """Return the handler of a function, or of an id in the project of `config`."""
    if not isinstance(job, str):
        return handler_for(job)
    catalog, _ = project_catalog(None if config is None else Path(config))
    handler = catalog.handlers.get(job)
    if handler is None:
        near = catalog.nearest(job)
        raise UnknownTargetError(
            f"no job has the id {job!r}." + (f" Did you mean {', '.join(near)}?" if near else "")
        )
    return handler


def catalog_of(functions: Iterable[Callable[..., Any]]) -> Catalog:
    """Make a catalog of jobs out of functions; raises `DefinitionError` for two with one id."""
    findings = Findings()
    for function in functions:
        handler = handler_for(function)
        path = handler.declaration.file or "<test>"
        findings.add(Found(layers=(handler.declaration,), path=path, root=Path(path).parent, handler=handler))
    for problem in findings.problems:
        raise DefinitionError(problem.message, file=problem.file, line=problem.line, hint=problem.hint)
    nowhere = Path("<test>")
    sources = CatalogSources(jobs_dir=nowhere, tasks_dir=nowhere, default_runtime=RunnerMode.IN_PROCESS)
    return Catalog(
        {id: resolve(found, sources) for id, found in findings.by_id.items()},
        handlers={id: found.handler for id, found in findings.by_id.items() if found.handler},
    )


def project_catalog(config: Path | None) -> tuple[Catalog, int]:
    """Return the catalog of a project and its `max_payload_bytes`; None finds the config as the command does.

    Raises `ConfigError`, and `DefinitionError` for the first thing wrong in its modules.
    """
    from netscript_workers.config import LoadOptions
    from netscript_workers.wiring import load_project

    project = load_project(LoadOptions(path=config, environ=os.environ))
    for problem in project.catalog.problems:
        if problem.code.startswith("E"):
            raise DefinitionError(problem.message, file=problem.file, line=problem.line, hint=problem.hint)
    return project.catalog, project.settings.max_payload_bytes


def _file_of(function: Callable[..., Any]) -> str | None:
    try:
        return inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
