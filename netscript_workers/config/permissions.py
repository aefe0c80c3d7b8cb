"""The permissions of a job or task in the config: a table of grants, or the name of a preset."""

from typing import Annotated, Any, cast

from pydantic import BeforeValidator, Field, WithJsonSchema

from netscript_workers.config.node import Node
from netscript_workers.config.values import Flag, problem
from netscript_workers.domain.permissions import PRESETS, Grant, Permissions

_SMUGGLES = frozenset(",\n\r\0")


def _names(value: object) -> tuple[str, ...]:
    names: list[str] = []
    for item in cast("list[object] | tuple[object, ...]", value):
        if not isinstance(item, str) or not item.strip():
            raise problem("E020", "must list names as text, none of them empty")
        if _SMUGGLES & set(item):
            raise problem(
                "E020",
                f"holds a value with a comma or a line break: {item!r}",
                "write each name as its own entry of the list; joined names would smuggle in a second grant",
            )
        names.append(item)
    return tuple(names)


def _grant(value: object) -> Grant:
    if isinstance(value, bool):
        return value
    if isinstance(value, (list, tuple)):
        return _names(cast("object", value))
    raise problem("E020", "must be true, false or a list of names", "for example net = [“api.example.com”]")


def _imports(value: object) -> tuple[str, ...]:
    if isinstance(value, (list, tuple)):
        return _names(cast("object", value))
    raise problem("E020", "must be a list of hosts")


_GRANT_SCHEMA = {
    "anyOf": [{"type": "boolean"}, {"type": "array", "items": {"type": "string", "pattern": "^[^,\\n\\r]+$"}}]
}
GrantValue = Annotated[bool | tuple[str, ...], BeforeValidator(_grant), WithJsonSchema(_GRANT_SCHEMA)]


class PermissionTable(Node):
    """Grants, one by one. What is not named is denied."""

    net: GrantValue = Field(default=False, description="hosts a run may reach; true: all, false: none")
    read: GrantValue = Field(default=False, description="paths it may read")
    write: GrantValue = Field(default=False, description="paths it may write")
    env: GrantValue = Field(default=False, description="environment variables it may see")
    run: GrantValue = Field(default=False, description="programs it may start")
    ffi: Flag = Field(default=False, description="native libraries (deno)")
    import_: Annotated[
        tuple[str, ...],
        BeforeValidator(_imports),
        WithJsonSchema({"type": "array", "items": {"type": "string"}}),
    ] = Field(default=(), alias="import", description="hosts a deno program may import code from")

    def to_domain(self) -> Permissions:
        """Return the grants as the rest of the program knows them."""
        return Permissions(
            net=self.net,
            read=self.read,
            write=self.write,
            env=self.env,
            run=self.run,
            ffi=self.ffi,
            import_=self.import_,
        )


def _table(value: object) -> Any:
    if not isinstance(value, str):
        if not isinstance(value, (dict, PermissionTable)):
            raise problem("E020", f"must be a table of grants, or one of {', '.join(PRESETS)}")
        return cast("Any", value)
    preset = PRESETS.get(value.replace("-", "_"))
    if preset is None:
        raise problem(
            "E020", f"names no preset: {value!r}", f"choose one of {', '.join(PRESETS)}, or write a table"
        )
    return {
        "net": preset.net,
        "read": preset.read,
        "write": preset.write,
        "env": preset.env,
        "run": preset.run,
        "ffi": preset.ffi,
        "import": preset.import_,
    }


PermissionValue = Annotated[PermissionTable, BeforeValidator(_table)]
