"""What a task's `metadata` says to its runtime: the original's blocks, in its camelCase and in snake_case."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any, Final, cast

PYTHON: Final = "python_config"
DOTNET: Final = "dotnet_config"
SHELL: Final = "shell_config"

# The kinds: text, a flag, a list of texts.
BLOCKS: Final[Mapping[str, Mapping[str, type]]] = {
    PYTHON: {"python_path": str, "venv_path": str},
    DOTNET: {"runtime_args": list, "use_dotnet_run": bool},
    SHELL: {"shell": str, "login_shell": bool},
}
_WORDS: Final = {str: "text", bool: "true or false", list: "a list of texts"}


class RuntimeSettingError(ValueError):
    """A block of `metadata` holds what its runtime cannot take. The message follows the word `metadata`; `hint` may be empty."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def settings_in(metadata: Mapping[str, Any], block: str) -> dict[str, Any]:
    """Return the settings of one of `BLOCKS`, by their snake_case names; raises `RuntimeSettingError`.

    What is not set, or null, is absent. Other blocks are not looked at.
    """
    found: dict[str, Any] = {}
    for written in [name for name in metadata if _snake(name) == block]:
        table: object = metadata[written]
        if table is None:
            continue
        if not isinstance(table, Mapping):
            raise RuntimeSettingError(f"must hold a table at {written}")
        for name, value in cast("Mapping[str, object]", table).items():
            key = _snake(name)
            if key in found:
                raise RuntimeSettingError(f"has {written}.{name} twice, in both spellings")
            if value is not None:
                found[key] = _checked(block, f"{written}.{name}", key, value)
    return found


def check_settings(metadata: Mapping[str, Any]) -> None:
    """Look at every block; raises `RuntimeSettingError` for the first thing wrong."""
    for block in BLOCKS:
        settings_in(metadata, block)


def _checked(block: str, path: str, key: str, value: object) -> object:
    known = BLOCKS[block]
    kind = known.get(key)
    if kind is None:
        near = get_close_matches(key, known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(known)}"
        raise RuntimeSettingError(f"holds an unknown setting {path}", hint)
    if kind is list and isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        if all(isinstance(item, str) for item in items):
            return tuple(cast("list[str]", items))
    elif (kind is bool and isinstance(value, bool)) or (kind is str and isinstance(value, str) and value):
        return value
    raise RuntimeSettingError(f"must hold {_WORDS[kind]} at {path}")


def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])([A-Z])", lambda found: "_" + found[1].lower(), name)
