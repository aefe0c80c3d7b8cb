"""The effective values of a config: what the file leaves unset of a job or task comes from its group, code or defaults."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.config.options import Origin, OriginKind
from netscript_workers.config.place import dotted
from netscript_workers.domain.target import DB_DAYS, KV_DAYS

if TYPE_CHECKING:
    from netscript_workers.catalog import Catalog
    from netscript_workers.config import Loaded
    from netscript_workers.config.place import Place
    from netscript_workers.domain.target import Target

# Fields that are shown as they are in the file: an unset one means “nothing”, not “the default of something”.
_LEFT_ALONE: Final = frozenset({"permissions", "limits", "retention", "env", "id", "entrypoint"})
_GROUP_DEFAULTS: Final = ((("retention", "kv_days"), KV_DAYS), (("retention", "db_days"), DB_DAYS))
_FROM_GROUP: Final = frozenset({"topic", "runtime"})


def effective_values(loaded: "Loaded", catalog: "Catalog | None") -> tuple[dict[str, Any], dict[str, Origin]]:
    """Return the whole tree as shown (secrets masked) and the origin of each value in it by dotted path."""
    settings = loaded.partial
    effective = settings.model_dump(mode="json", by_alias=True)
    origins = dict(loaded.origins)
    for group, table in zip(settings.groups, effective["groups"], strict=True):
        for keys, default in _GROUP_DEFAULTS:
            _fill(table, keys, default, origins, dotted((*group.place.path, *keys)))
    if catalog is None:
        return effective, origins
    tables = {str(table["id"]): table for table in _target_tables(effective)}
    for place, declaration in settings.placed_declarations():
        target = catalog.targets.get(declaration.id)
        table = tables.get(declaration.id)
        if target is None or table is None or not place.path:
            continue
        for key in [key for key, value in table.items() if value is None and key not in _LEFT_ALONE]:
            value = msgspec.to_builtins(getattr(target, key))
            path = dotted((*place.path, key))
            table[key] = value
            origins[path] = _origin(loaded, catalog, place, target, key, value)
    return effective, origins


def _fill(
    table: dict[str, Any], keys: tuple[str, ...], default: Any, origins: dict[str, Origin], path: str
) -> None:
    for key in keys[:-1]:
        table = table[key]
    if table[keys[-1]] is None:
        table[keys[-1]] = default
        origins[path] = Origin(default, OriginKind.DEFAULT)


def _target_tables(effective: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for owner in (effective, *effective["groups"]):
        yield from owner["jobs"]
        yield from owner["tasks"]


def _origin(
    loaded: "Loaded", catalog: "Catalog", place: "Place", target: "Target", key: str, value: Any
) -> Origin:
    if place.path[0] == "groups" and key in _FROM_GROUP:
        inherited = loaded.origins.get(dotted((*place.path[:2], key)))
        if inherited is not None and inherited.value == value:
            return inherited
    handler = catalog.handlers.get(target.id)
    if handler is not None and getattr(handler.declaration, key) is not None:
        detail = f"{handler.declaration.file}:{handler.declaration.line} (@job)"
        return Origin(value, OriginKind.FILE, detail)
    if key == "runtime":
        whole = loaded.origins["runtime"]
        return Origin(value, whole.source, whole.detail)
    return Origin(value, OriginKind.DEFAULT)
