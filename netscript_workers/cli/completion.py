"""What a shell may complete: ids of targets and names of topics, read without importing or running any user code.

The modules are parsed, not imported, so a Tab key has no side effects; what only an import could tell is left out.
"""

import ast
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from netscript_workers.domain.ids import kebab
from netscript_workers.domain.target import DEFAULT_TOPIC

if TYPE_CHECKING:
    from netscript_workers.config import Settings


def targets(incomplete: str) -> list[str]:
    """Return the ids of jobs and tasks that begin with `incomplete`; nothing where there is no usable project."""
    settings = _settings()
    if settings is None:
        return []
    ids = {declared.id for declared in settings.declarations()}
    ids.update(target for target, _ in _written_jobs(settings.jobs_dir))
    return sorted(each for each in ids if each.startswith(incomplete))


def topics(incomplete: str) -> list[str]:
    """Return the topics that begin with `incomplete`; nothing where there is no usable project."""
    settings = _settings()
    return [] if settings is None else [each for each in topics_of(settings) if each.startswith(incomplete)]


def topics_of(settings: "Settings") -> list[str]:
    """Return every topic that the config or a decorator names, by name."""
    found = {declared.topic or DEFAULT_TOPIC for declared in settings.declarations()}
    found.update(group.topic for group in settings.groups)
    found.update(topic for _, topic in _written_jobs(settings.jobs_dir))
    return sorted(found)


def _settings() -> "Settings | None":
    from netscript_workers import config

    return config.load(config.LoadOptions(environ=dict(os.environ))).settings


def _written_jobs(jobs_dir: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(jobs_dir.rglob("*.py")):
        if path.name.startswith("_"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue  # `workers validate` tells what is wrong with it
        yield from _jobs_of(tree, path.stem)


def _jobs_of(tree: ast.Module, stem: str) -> Iterator[tuple[str, str]]:
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    decorated = [
        call
        for function in functions
        for call in function.decorator_list
        if isinstance(call, ast.Call) and _is_job(call)
    ]
    for call in decorated:
        target = _text(call.args[0]) if call.args else _keyword(call, "id")
        if target is not None:
            yield target, _keyword(call, "topic") or DEFAULT_TOPIC
    if not decorated and any(function.name in {"default", "handler"} for function in functions):
        yield kebab(stem), DEFAULT_TOPIC


def _is_job(call: ast.Call) -> bool:
    name = call.func
    return (isinstance(name, ast.Name) and name.id == "job") or (
        isinstance(name, ast.Attribute) and name.attr == "job"
    )


def _keyword(call: ast.Call, name: str) -> str | None:
    return next((_text(each.value) for each in call.keywords if each.arg == name), None)


def _text(node: ast.expr) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
