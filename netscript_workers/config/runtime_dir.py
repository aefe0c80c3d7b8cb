"""The runtime directory: declarative tasks and overrides of jobs, checked like the config file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from msgspec.structs import replace
from pydantic import Field, ValidationError

from netscript_workers.config.declare import declare
from netscript_workers.config.definitions import TaskTable
from netscript_workers.config.findings import findings, nearest_place
from netscript_workers.config.node import Node
from netscript_workers.config.place import Place, problem_at
from netscript_workers.config.runtime_files import CODE, LiveFile, RuntimeFileError, live_files, read_json
from netscript_workers.config.spelling import respell
from netscript_workers.config.values import (
    Count,
    Cron,
    Flag,
    Identifier,
    Natural,
    PositiveDuration,
    Text,
    Timezone,
)
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.runtime_layer import ALL_TOPICS, RuntimeLayer
from netscript_workers.domain.target import DEFAULT_TOPIC, Declaration, Source

if TYPE_CHECKING:
    from collections.abc import Mapping

# What an override may say, and the field of a target that it replaces.
_FIELDS: Final = {
    "enabled": "enabled",
    "schedule": "schedule",
    "timezone": "timezone",
    "timeout": "timeout",
    "max_retries": "max_retries",
    "concurrency": "max_concurrency",
}


class TaskFile(Node):
    """One version of the tasks: the original's shape."""

    version: Text = Field(description="the version, as in the file's name")
    tasks: tuple[TaskTable, ...] = Field(default=(), description="tasks")


class OverrideTable(Node):
    """What is overridden of one job or task."""

    id: Identifier = Field(description="the target")
    enabled: Flag | None = Field(default=None, description="false: not run")
    schedule: Cron | None = Field(default=None, description="another schedule")
    timezone: Timezone | None = Field(default=None, description="another timezone")
    timeout: PositiveDuration | None = Field(default=None, description="another timeout")
    max_retries: Natural | None = Field(default=None, description="another number of retries")
    concurrency: Count | None = Field(default=None, description="another max_concurrency")


class OverrideFile(Node):
    """One version of the overrides."""

    version: Text = Field(description="the version, as in the file's name")
    jobs: tuple[OverrideTable, ...] = Field(default=(), description="overrides by id")


Model = TypeVar("Model", TaskFile, OverrideFile)


def read_runtime_dir(root: Path) -> RuntimeLayer:
    """Read what is live in the runtime directory. Never raises for what stands there: it is all among the problems.

    A directory that is not there, or holds nothing, is an empty layer.
    """
    problems: list[Problem] = []
    tasks: dict[str, Declaration] = {}
    overrides: dict[str, Mapping[str, Mapping[str, Any]]] = {}
    files: list[str] = []
    try:
        for live in live_files(root, "tasks"):
            files.append(str(live.path))
            _add_tasks(live, tasks, problems)
        for live in live_files(root, "jobs"):
            files.append(str(live.path))
            by_id = _overrides(live, problems)
            overrides.update(dict.fromkeys(live.topics or (ALL_TOPICS,), by_id))
    except RuntimeFileError as error:
        problems.append(error.problem)
    return RuntimeLayer(
        tasks=tuple(tasks.values()), overrides=overrides, files=tuple(files), problems=tuple(problems)
    )


def _add_tasks(live: LiveFile, tasks: dict[str, Declaration], problems: list[Problem]) -> None:
    """Take the tasks of the file's topics; those that another file was named for are not its business."""
    content = _checked(TaskFile, live, problems)
    if content is None:
        return
    seen: set[str] = set()
    for place, declaration in declare((), content.tasks, ()):
        topic = declaration.topic or DEFAULT_TOPIC
        if declaration.id in seen:
            message = f"two tasks of {live.path.name} have the id {declaration.id!r}"
            problems.append(problem_at("E023", place, message, "give one of them another id"))
        seen.add(declaration.id)
        if live.topics is None or topic in live.topics:
            tasks.setdefault(declaration.id, replace(declaration, source=Source.RUNTIME, file=str(live.path)))


def _overrides(live: LiveFile, problems: list[Problem]) -> dict[str, dict[str, Any]]:
    content = _checked(OverrideFile, live, problems)
    found: dict[str, dict[str, Any]] = {}
    for table in content.jobs if content else ():
        said = {field: getattr(table, name) for name, field in _FIELDS.items()}
        found[table.id] = {field: value for field, value in said.items() if value is not None}
    return found


def _checked(model: type[Model], live: LiveFile, problems: list[Problem]) -> Model | None:
    """Return a file's content; None, and problems, when anything in it is wrong."""
    top = Place(file=str(live.path))
    spelled = respell(model, read_json(live.path), lambda _path: top)
    problems += spelled.problems
    try:
        content = model.model_validate(spelled.tree, context={"base": live.path.parent, "environ": {}})
    except ValidationError as error:
        problems += [
            finding.at(nearest_place(finding.path, spelled.places, top)) for finding in findings(error)
        ]
        return None
    if content.version.removeprefix("v") != live.version:
        message = f"{live.path.name} says that it is version {content.version!r}"
        problems.append(problem_at(CODE, top, message, "rename the file, or mend its version"))
        return None
    return None if spelled.problems else content
