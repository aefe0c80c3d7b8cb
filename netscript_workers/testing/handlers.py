"""From functions to handlers and a catalog, without a directory to scan."""

import inspect
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
from netscript_workers.errors import DefinitionError


def handler_for(function: Callable[..., Any]) -> Handler:
    """Make the handler of a function: under the id of its `@job`, else under its name in kebab-case."""
    definition = definition_of(function)
    name = getattr(function, "__name__", type(function).__name__)
    target_id = (definition.id if definition else None) or kebab(name) or "handler"
    return build_handler(function, target_id, file=_file_of(function))


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


def _file_of(function: Callable[..., Any]) -> str | None:
    try:
        return inspect.getsourcefile(inspect.unwrap(function))
    except TypeError:
        return None
