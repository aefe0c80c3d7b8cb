"""The Lua of this engine, read once from the files named by their verb; each begins with what it needs of the shared ones."""

import hashlib
import re
from importlib.resources import files
from typing import Final, NamedTuple

_FOLDER: Final = "lua"
_BEGINNING: Final = "shared/keys"
_SHARED: Final = ("shared/records", "shared/waiting", "shared/ended", "shared/entering")
_FUNCTION: Final = re.compile(r"(?:^--[^\n]*\n)*^local function (\w+)\(.*?^end\n+", re.MULTILINE | re.DOTALL)
_WORD: Final = re.compile(r"\w+")


class Script(NamedTuple):
    """One verb: its text, and the digest that the server knows it by."""

    text: str
    digest: str


class Scripts:
    """Hands out scripts by their verb; each file is read when its script is first asked for."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._scripts: dict[str, Script] = {}

    def __getitem__(self, verb: str) -> Script:
        """Return the script in `lua/<verb>.lua`, what it needs of the shared files laid in behind its first line (its flags)."""
        script = self._scripts.get(verb)
        if script is None:
            flags, _, rest = _read(verb).partition("\n")
            shared = needed("\n".join(map(_read, _SHARED)), rest)
            text = f"{flags}\n{_read(_BEGINNING)}{shared}{rest}"
            script = Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
            self._scripts[verb] = script
        return script


def needed(shared: str, script: str) -> str:
    """Return those functions of `shared` that `script` comes to: each costs time at every call."""
    kept: list[str] = []
    words = set(_WORD.findall(script))
    for found in reversed(list(_FUNCTION.finditer(shared))):  # a function uses those before it only
        if found[1] in words:
            kept.append(found[0])
            words.update(_WORD.findall(found[0]))
    return "".join(reversed(kept))


def _read(name: str) -> str:
    return (files(__package__ or "") / _FOLDER / f"{name}.lua").read_text(encoding="utf-8")
