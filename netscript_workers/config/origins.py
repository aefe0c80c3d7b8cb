"""Who won: the origin of every effective value."""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from netscript_workers.config.node import Node
from netscript_workers.config.options import Origin, OriginKind
from netscript_workers.config.place import KeyPath, Place, dotted
from netscript_workers.config.references import is_reference

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings


class Leaf(NamedTuple):
    """One value of the settings as shown: its path in the config, masked where it is secret."""

    path: KeyPath
    value: Any


def leaves(settings: "Settings") -> Iterator[Leaf]:
    """Yield every single value of `settings`; members of lists keep the index they have in the file."""
    yield from _leaves(settings, (), settings.model_dump(mode="json", by_alias=True))


def _leaves(node: Node, path: KeyPath, shown: dict[str, Any]) -> Iterator[Leaf]:
    for name, field in type(node).model_fields.items():
        key = field.alias or name
        value: object = getattr(node, name)
        here = (*path, key)
        if isinstance(value, Node):
            yield from _leaves(value, here, shown[key])
        elif isinstance(value, tuple) and value and isinstance(value[0], Node):
            for index, member in enumerate(value):  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
                if isinstance(member, Node):
                    yield from _leaves(member, member.place.path or (*here, index), shown[key][index])
        else:
            yield Leaf(here, shown[key])


def trace(
    settings: "Settings",
    places: Mapping[KeyPath, Place],
    overlay: Mapping[KeyPath, tuple[OriginKind, str]],
    written: Callable[[KeyPath], object],
) -> dict[str, Origin]:
    """Return the origin of every effective value by dotted path.

    `overlay` says which keys a variable or an option has set, `written` returns what the file says at a path.
    """
    origins: dict[str, Origin] = {}
    for path, value in leaves(settings):
        if path in overlay:
            kind, detail = overlay[path]
        else:
            kind, detail = _from_file(path, places, written)
        origins[dotted(path)] = Origin(value, kind, detail)
    return origins


def _from_file(
    path: KeyPath, places: Mapping[KeyPath, Place], written: Callable[[KeyPath], object]
) -> tuple[OriginKind, str]:
    # A preset's grants have no key of their own: they stand where its name stands.
    place = places.get(path) or (
        places.get(path[:-1])
        if path[-2:-1] == ("permissions",) and isinstance(written(path[:-1]), str)
        else None
    )
    if place is None:
        return OriginKind.DEFAULT, ""
    detail = f"{place.file}:{place.line}" if place.line else str(place.file)
    reference = written(path)
    if is_reference(reference):
        detail += f" ({reference})"
    return OriginKind.FILE, detail


def in_words(settings: "Settings", origins: Mapping[str, Origin]) -> dict[str, str]:
    """Say of each value under `connections` where it comes from, for messages about the server it leads to."""
    return {
        path: _in_words(settings, path, origin)
        for path, origin in origins.items()
        if path.startswith("connections.")
    }


def _in_words(settings: "Settings", path: str, origin: Origin) -> str:
    if origin.source is OriginKind.DEFAULT:
        return f"the default of {path}"
    if origin.source is not OriginKind.FILE:
        return origin.detail
    place = settings.place_of(*path.split("."))
    line = f", line {place.line}" if place.line else ""
    return f"{path} in {place.file}{line}"
