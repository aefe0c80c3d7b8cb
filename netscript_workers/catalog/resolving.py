"""From declarations to a target: the first layer that says something wins, SPEC section 4 fills the rest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Found
from netscript_workers.catalog.sources import CatalogSources
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.schedule import ScheduleError, check_timezone, expand_cron
from netscript_workers.domain.target import (
    DEFAULT_TOPIC,
    TASK_MAX_CONCURRENCY,
    TASK_MAX_RETRIES,
    TASK_TIMEOUT_MS,
    Concept,
    Declaration,
    Retention,
    Source,
    Target,
    TaskType,
)

# Fields of a declaration that a target takes over as they are.
_PLAIN: Final = (
    "description",
    "schedule",
    "timezone",
    "catch_up",
    "timeout",
    "max_retries",
    "retry_delay",
    "backoff",
    "max_concurrency",
    "priority",
    "permissions",
    "limits",
    "tags",
    "metadata",
    "enabled",
    "type",
    "args",
    "env",
    "cwd",
    "import_map_url",
    "persist",
)
_TASK_DEFAULTS: Final[dict[str, Any]] = {
    "timeout": TASK_TIMEOUT_MS,
    "max_retries": TASK_MAX_RETRIES,
    "max_concurrency": TASK_MAX_CONCURRENCY,
    "type": TaskType.DENO,
}


def resolve(found: Found, sources: CatalogSources) -> Target:
    """Lay the declarations of `found` over one another and give every field its value."""
    first = found.layers[0]
    topic: str = _said(found, "topic") or DEFAULT_TOPIC
    values: dict[str, Any] = dict(_TASK_DEFAULTS) if first.concept is Concept.TASK else {}
    values.update({name: value for name in _PLAIN if (value := _said(found, name)) is not None})
    return Target(
        id=found.id,
        concept=first.concept,
        source=first.source,
        file=first.file or found.path,
        path=found.path,
        attribute=found.attribute,
        name=_said(found, "name") or found.id,
        entrypoint=first.entrypoint or Path(found.path).relative_to(found.root).as_posix(),
        topic=topic,
        runtime=_said(found, "runtime") or sources.runtime_by_topic.get(topic, sources.default_runtime),
        retention=_said(found, "retention") or sources.retention_by_topic.get(topic, Retention()),
        **values,
    )


def schedule_problems(found: Found) -> Iterator[Problem]:
    """Complain of cron expressions and timezones in code; those of the config file were judged with it."""
    for layer in found.layers:
        if layer.source is Source.CONFIG:
            continue
        for option, value, check in (
            ("schedule", layer.schedule, expand_cron),
            ("timezone", layer.timezone, check_timezone),
        ):
            if value is None:
                continue
            try:
                check(value)
            except ScheduleError as error:
                yield Problem(
                    code=codes.BAD_SCHEDULE,
                    message=f"{layer.concept} {layer.id!r}: {option} {value!r}: {error}",
                    hint='five or six fields ("0 3 * * *") or @daily; an IANA timezone ("Europe/Berlin")',
                    file=layer.file,
                    line=layer.line,
                )


def _said(found: Found, name: str) -> Any:
    layers: tuple[Declaration, ...] = found.layers
    return next((value for layer in layers if (value := getattr(layer, name)) is not None), None)
