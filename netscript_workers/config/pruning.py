"""Taking wrong keys out of a tree and laying single values over it."""

from collections.abc import Iterable
from typing import Any, cast

from netscript_workers.config.place import NOWHERE, KeyPath, PlacedDict


def copied(tree: PlacedDict) -> PlacedDict:
    """Return a copy of the tables and lists of `tree`; single values and places are shared."""
    return cast("PlacedDict", _copy(tree))


def _copy(value: object) -> object:
    if isinstance(value, PlacedDict):
        table = PlacedDict(value.place)
        table.update({key: _copy(item) for key, item in value.items()})
        return table
    if isinstance(value, dict):
        return {key: _copy(item) for key, item in cast("dict[str, object]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_copy(item) for item in cast("list[object]", value)]
    return value


def assign(tree: PlacedDict, path: KeyPath, value: object) -> None:
    """Set the key at `path` of `tree`, making the tables on the way; keys only, no indexes."""
    table: dict[str, Any] = tree
    for key in path[:-1]:
        inner = table.get(str(key))
        if not isinstance(inner, dict):
            inner = table[str(key)] = PlacedDict(NOWHERE._replace(path=path[:-1]))
        table = cast("dict[str, Any]", inner)
    table[str(path[-1])] = value


def prune(tree: PlacedDict, paths: Iterable[KeyPath]) -> None:
    """Take the keys and elements at `paths` out of `tree`, or of what is around them what there is."""
    # From the back, so that the indexes of what is still to go stay right.
    for path in sorted(set(paths), key=_order, reverse=True):
        _take_out(tree, path)


def _order(path: KeyPath) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in path)


def _take_out(tree: PlacedDict, path: KeyPath) -> None:
    container: Any = tree
    for part in path[:-1]:
        inner = _get(container, part)
        if not isinstance(inner, (dict, list)):
            break
        container = cast("Any", inner)
    else:
        _drop(container, path[-1])
        return
    _take_out(tree, path[:-1])


def _get(container: Any, part: str | int) -> Any:
    if isinstance(container, list):
        items = cast("list[Any]", container)
        return items[part] if isinstance(part, int) and part < len(items) else None
    return container.get(part)


def _drop(container: Any, part: str | int) -> None:
    if isinstance(container, list):
        items = cast("list[Any]", container)
        if isinstance(part, int) and part < len(items):
            del items[part]
        return
    container.pop(part, None)


def value_at(tree: PlacedDict, path: KeyPath) -> Any:
    """Return what stands at `path` of `tree`, None when nothing does."""
    value: Any = tree
    for part in path:
        if not isinstance(value, (dict, list)):
            return None
        value = _get(cast("Any", value), part)
    return value
