"""Permissions in user code: read from mappings, presets by name, merged (SPEC section 8)."""

import difflib
import re
from collections.abc import Mapping
from typing import Any, Final, cast

import msgspec

from netscript_workers.authoring.text import safe_repr
from netscript_workers.domain.permissions import PRESETS, Permissions, merge
from netscript_workers.errors import DefinitionError

_KEYS: Final = ("net", "read", "write", "env", "run", "ffi", "import")


class OptionError(ValueError):
    """An option has a value it cannot have; the message follows the option's name."""


class PermissionBuilder:
    """Builds permissions: presets by attribute, or by call with grants over them.

    `permissions.network` is a preset; `permissions("network", net=["api.example.com"])` is it with another
    `net`; `permissions(read=["/data"])` starts from nothing.
    """

    minimal: Final = PRESETS["minimal"]
    none: Final = PRESETS["none"]
    network: Final = PRESETS["network"]
    filesystem: Final = PRESETS["filesystem"]
    read_only: Final = PRESETS["read_only"]
    subprocess: Final = PRESETS["subprocess"]
    full: Final = PRESETS["full"]
    all_access: Final = PRESETS["all_access"]

    def __call__(self, preset: str | None = None, **grants: Any) -> Permissions:
        """Return the preset (nothing granted without one) with `grants` in the place of its own.

        `import_` is written with an underscore. Raises `DefinitionError` for an unknown preset or permission,
        or a bad grant.
        """
        try:
            base = Permissions() if preset is None else as_permissions(preset)
            return msgspec.structs.replace(base, **_grants(grants))
        except OptionError as error:
            raise _complaint(error) from None


permissions: Final = PermissionBuilder()


def create_permission_preset(
    preset: str, overrides: Permissions | Mapping[str, Any] | None = None
) -> Permissions:
    """Return the preset of that name with `overrides` over it, as the original's function of that name does.

    Presets: `minimal`, `none`, `network`, `filesystem`, `read_only`, `subprocess`, `full`, `all_access`.
    """
    if isinstance(overrides, Permissions):
        return merge(permissions(preset), overrides)
    return permissions(preset, **dict(overrides or {}))


def merge_permissions(*several: Permissions | Mapping[str, Any] | str) -> Permissions:
    """Return what any of `several` (objects, mappings, preset names) grants: True wins over lists, lists are joined."""
    try:
        return merge(*(as_permissions(one) for one in several))
    except OptionError as error:
        raise _complaint(error) from None


def as_permissions(value: object) -> Permissions:
    """Read permissions from an object, a mapping or the name of a preset; else `OptionError`."""
    if isinstance(value, Permissions):
        return value
    if isinstance(value, str):
        preset = PRESETS.get(value.replace("-", "_"))
        if preset is None:
            raise OptionError(f"has no preset {value!r}; there are {', '.join(PRESETS)}")
        return preset
    if not isinstance(value, Mapping):
        raise OptionError(f"must be a mapping or a preset's name, not {safe_repr(value)}")
    return Permissions(**_grants(cast("Mapping[str, Any]", value)))


def _grants(given: Mapping[str, Any]) -> dict[str, Any]:
    """Check names and grants; returns them by the fields of `Permissions`. None is unset."""
    fields: dict[str, Any] = {}
    for name, grant in given.items():
        key = "import" if name == "import_" else name
        if key not in _KEYS:
            near = difflib.get_close_matches(str(key), _KEYS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(_KEYS)}"
            raise OptionError(f"names no permission {key!r}; {hint}")
        if grant is not None:
            fields["import_" if key == "import" else key] = _grant(key, grant)
    return fields


def _grant(key: str, value: object) -> bool | tuple[str, ...]:
    if isinstance(value, bool) and key != "import":
        return value
    if key == "ffi":
        raise OptionError(f".ffi must be true or false, not {safe_repr(value)}")
    if isinstance(value, (list, tuple)):
        names = cast("list[Any]", value)
        for name in names:
            if not isinstance(name, str) or not name or re.search(r"[,\n\r\0]", name):
                raise OptionError(
                    f".{key} cannot grant {safe_repr(name)}: a name is a string without comma or line break"
                )
        return tuple(cast("list[str]", names))
    raise OptionError(
        f".{key} must be {'a list' if key == 'import' else 'true, false or a list'}, not {safe_repr(value)}"
    )


def _complaint(error: OptionError) -> DefinitionError:
    text = str(error)
    return DefinitionError(f"permissions{text}" if text.startswith(".") else f"permissions {text}")
