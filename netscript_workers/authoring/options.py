"""The options of `@job` and `define_task`, checked: a value becomes what `Declaration` holds."""

import difflib
import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, TypedDict, cast

import msgspec

from netscript_workers.authoring.permissions import OptionError, as_permissions
from netscript_workers.authoring.text import safe_repr
from netscript_workers.domain.duration import parse_duration
from netscript_workers.domain.ids import is_target_id
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.runtime_settings import check_settings
from netscript_workers.domain.size import parse_size
from netscript_workers.domain.target import (
    MAX_PRIORITY,
    Backoff,
    CatchUp,
    Limits,
    Retention,
    RunnerMode,
)
from netscript_workers.errors import DefinitionError

OptionCheck = Callable[[Any], Any]


class JobOptions(TypedDict, total=False):
    """What `@job` takes beside the id; the keys of a job in the config file, see the reference in the README.

    Durations (`timeout`, `retry_delay`) are ms, or strings such as `"30s"`. `priority` is 0 to 100, higher
    first.
    """

    name: str
    topic: str
    description: str
    schedule: str
    timezone: str
    catch_up: CatchUp | str
    timeout: int | str
    max_retries: int
    retry_delay: int | str
    backoff: Backoff | str
    max_concurrency: int
    priority: int
    permissions: Permissions | Mapping[str, Any] | str
    limits: Limits | Mapping[str, Any]
    runtime: RunnerMode | str
    tags: list[str] | tuple[str, ...]
    metadata: Mapping[str, Any]
    retention: Retention | Mapping[str, int]
    enabled: bool


def checked_options(
    options: Mapping[str, Any], checks: Mapping[str, OptionCheck], what: str, file: str, line: int
) -> dict[str, Any]:
    """Return `options` checked; None means unset. Raises `DefinitionError` naming every bad one."""
    values: dict[str, Any] = {}
    complaints: list[str] = []
    for name, value in options.items():
        key = _snake(name)
        check = checks.get(key)
        if check is None:
            near = difflib.get_close_matches(key, checks, n=1)
            meant = f"; did you mean {near[0]!r}?" if near else ""
            complaints.append(f"there is no option {name!r}{meant}")
        elif value is not None:
            try:
                values[key] = check(value)
            except ValueError as error:
                text = str(error)
                complaints.append(name + text if text.startswith(".") else f"{name} {text}")
    if complaints:
        raise DefinitionError(f"{what} ({file}:{line}): " + "; ".join(complaints), file=file, line=line)
    return values


def checked_id(value: object, what: str, file: str, line: int) -> str:
    """Return `value` if it is a usable id (kebab-case), else raise `DefinitionError`."""
    if isinstance(value, str) and is_target_id(value):
        return value
    raise DefinitionError(
        f"{what} ({file}:{line}): {safe_repr(value)} is no id",
        file=file,
        line=line,
        hint='ids are kebab-case, of letters, digits and single dashes: "process-payment"',
    )


def text(value: object) -> str:
    """Check for a string."""
    if not isinstance(value, str):
        raise OptionError(f"must be a string, not {safe_repr(value)}")
    return value


def filled_text(value: object) -> str:
    """Check for a string that says something."""
    if not text(value).strip():
        raise OptionError("must not be empty")
    return text(value)


def topic(value: object) -> str:
    """Check for a topic's name."""
    if not isinstance(value, str) or not is_target_id(value):
        raise OptionError(f"must be kebab-case, like an id, not {safe_repr(value)}")
    return value


def flag(value: object) -> bool:
    """Check for true or false."""
    if not isinstance(value, bool):
        raise OptionError(f"must be True or False, not {safe_repr(value)}")
    return value


def whole(low: int, high: int | None = None) -> Callable[[object], int]:
    """Make a check for a whole number from `low` to `high`."""

    def check(value: object) -> int:
        if (
            isinstance(value, int)
            and not isinstance(value, bool)
            and low <= value
            and (high is None or value <= high)
        ):
            return value
        span = f"at least {low}" if high is None else f"from {low} to {high}"
        raise OptionError(f"must be a whole number, {span}, not {safe_repr(value)}")

    return check


def duration(low: int) -> Callable[[object], int]:
    """Make a check for a duration of at least `low` ms."""

    def check(value: object) -> int:
        found = parse_duration(value)
        if found < low:
            raise OptionError(f"must be at least {low} ms, not {safe_repr(value)}")
        return found

    return check


def one_of(kind: type[StrEnum]) -> Callable[[object], StrEnum]:
    """Make a check for a member of `kind`, or its value as a string."""

    def check(value: object) -> StrEnum:
        try:
            return kind(value)
        except ValueError:
            near = difflib.get_close_matches(str(value), list(kind), n=1)
            meant = f"; did you mean {str(near[0])!r}?" if near else ""
            raise OptionError(f"must be one of {', '.join(kind)}, not {safe_repr(value)}{meant}") from None

    return check


def texts(value: object) -> tuple[str, ...]:
    """Check for a list of strings."""
    if isinstance(value, (list, tuple)):
        items = cast("list[Any] | tuple[Any, ...]", value)
        if all(isinstance(item, str) for item in items):
            return tuple(items)
        raise OptionError(f"must be a list of strings, not {safe_repr(items)}")
    raise OptionError(f"must be a list of strings, not {safe_repr(value)}")


def text_map(value: object) -> Mapping[str, str]:
    """Check for a mapping of strings to strings."""
    if isinstance(value, Mapping):
        items = dict(cast("Mapping[Any, Any]", value))
        if all(isinstance(key, str) and isinstance(item, str) for key, item in items.items()):
            return items
        raise OptionError(f"must be a mapping of strings to strings, not {safe_repr(items)}")
    raise OptionError(f"must be a mapping of strings to strings, not {safe_repr(value)}")


def metadata(value: object) -> Mapping[str, Any]:
    """Check for a mapping with string keys that has a JSON form."""
    if not isinstance(value, Mapping):
        raise OptionError(f"must be a mapping, not {safe_repr(value)}")
    try:
        return msgspec.json.decode(
            msgspec.json.encode(dict(cast("Mapping[Any, Any]", value))), type=dict[str, Any]
        )
    except (TypeError, ValueError) as error:
        raise OptionError(f"has no JSON form: {error}") from None


def task_metadata(value: object) -> Mapping[str, Any]:
    """Check as `metadata` does, and the blocks that runtimes read."""
    found = metadata(value)
    check_settings(found)  # its error is a ValueError like ours
    return found


def limits(value: object) -> Limits:
    """Read limits from an object or a mapping; `memory` and `output` may be strings such as `"256M"`."""
    if isinstance(value, Limits):
        return value
    at_least_one = whole(1)
    parts: dict[str, Callable[[object], int]] = {
        "memory": parse_size,
        "cpu_seconds": at_least_one,
        "open_files": at_least_one,
        "processes": at_least_one,
        "output": parse_size,
    }
    return Limits(**_struct_fields(value, parts))


def retention(value: object) -> Retention:
    """Read a retention (days) from an object or a mapping."""
    if isinstance(value, Retention):
        return value
    return Retention(**_struct_fields(value, {"kv_days": whole(1), "db_days": whole(1)}))


def _struct_fields(value: object, parts: Mapping[str, Callable[[object], int]]) -> dict[str, int]:
    if not isinstance(value, Mapping):
        raise OptionError(f"must be a mapping, not {safe_repr(value)}")
    fields: dict[str, int] = {}
    for name, part in cast("Mapping[str, Any]", value).items():
        key = _snake(str(name))
        if key not in parts:
            raise OptionError(f"has no key {name!r}; the keys are {', '.join(parts)}")
        try:
            fields[key] = parts[key](part)
        except ValueError as error:
            raise OptionError(f".{name} {error}") from None
    return fields


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)


JOB_CHECKS: Final[dict[str, OptionCheck]] = {
    "name": text,
    "topic": topic,
    "description": text,
    "schedule": filled_text,
    "timezone": filled_text,
    "catch_up": one_of(CatchUp),
    "timeout": duration(1),
    "max_retries": whole(0),
    "retry_delay": duration(0),
    "backoff": one_of(Backoff),
    "max_concurrency": whole(1),
    "priority": whole(0, MAX_PRIORITY),
    "permissions": as_permissions,
    "limits": limits,
    "runtime": one_of(RunnerMode),
    "tags": texts,
    "metadata": metadata,
    "retention": retention,
    "enabled": flag,
}
