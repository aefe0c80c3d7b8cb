"""What differs between the project that runs and the one on disk, in words; and what of it waits for a restart."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel

from netscript_workers import config
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.target import Target

# Where the queue is and what it is called; what everybody who shares it has been told; and what only a start looks at.
FIXED: Final = (
    "queue_provider",
    "queue_name",
    "connections",
    "lease",
    "connect_timeout",
    "enabled",
    "metrics",
    "api",
)
_MOST_NAMED: Final = 20


def fixed_changes(before: config.Settings, after: config.Settings) -> list[str]:
    """Name what has changed and is not applied, each with its new value; secrets are masked."""
    return [
        f"{path} = {_shown(new)}"
        for key in FIXED
        for path, new in _differing(key, getattr(before, key), getattr(after, key))
    ]


def with_fixed(before: config.Settings, after: config.Settings) -> config.Settings:
    """Return `after` with those values of `before` that only a restart changes."""
    return after.model_copy(update={key: getattr(before, key) for key in FIXED})


def target_changes(before: Mapping[str, Target], after: Mapping[str, Target]) -> str:
    """Say which targets were added, changed and removed."""
    more = sorted(after.keys() - before.keys())
    other = sorted(one for one in after.keys() & before.keys() if after[one] != before[one])
    fewer = sorted(before.keys() - after.keys())
    return f"targets added: {_named(more)}; changed: {_named(other)}; removed: {_named(fewer)}"


def pool_change(before: Pool, after: Pool) -> str:
    """Say what serves which topics now, and what did before if that was different."""
    if (before.size, before.lanes) == (after.size, after.lanes):
        return f"lanes as before ({_lanes(after)})"
    return f"lanes {_lanes(before)} → {_lanes(after)}"


def setting_changes(before: config.Settings, after: config.Settings) -> list[str]:
    """Name the settings that were applied, besides targets, groups and directories of targets."""
    keys = (key for key in type(after).model_fields if key not in (*FIXED, "groups", "jobs", "tasks"))
    return [
        f"{path} = {_shown(new)}"
        for key in keys
        for path, new in _differing(key, getattr(before, key), getattr(after, key))
    ]


def _differing(key: str, old: Any, new: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(old, BaseModel) and isinstance(new, type(old)):
        for name in type(new).model_fields:
            yield from _differing(f"{key}.{name}", getattr(old, name), getattr(new, name))
    elif old != new:
        yield key, new


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    return str(getattr(value, "value", value))


def _named(ids: list[str]) -> str:
    if len(ids) > _MOST_NAMED:
        return f"{', '.join(ids[:_MOST_NAMED])} and {len(ids) - _MOST_NAMED} more"
    return ", ".join(ids) or "none"


def _lanes(pool: Pool) -> str:
    lanes = ", ".join(f"{'+'.join(lane.topics)} ({lane.limit})" for lane in pool.lanes)
    return f"{lanes}; {pool.size} slots"
