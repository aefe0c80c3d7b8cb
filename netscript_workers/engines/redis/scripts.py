"""The Lua of this engine, read once from the files named by their verb; each begins with what they share."""

import hashlib
from importlib.resources import files
from typing import Final, NamedTuple

_FOLDER: Final = "lua"
_SHARED: Final = "common"


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
        """Return the script in `lua/<verb>.lua`, what all share laid in behind its first line (its flags)."""
        script = self._scripts.get(verb)
        if script is None:
            flags, _, rest = _read(verb).partition("\n")
            text = f"{flags}\n{_read(_SHARED)}{rest}"
            script = Script(text, hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest())
            self._scripts[verb] = script
        return script


def _read(name: str) -> str:
    return (files(__package__ or "") / _FOLDER / f"{name}.lua").read_text(encoding="utf-8")
