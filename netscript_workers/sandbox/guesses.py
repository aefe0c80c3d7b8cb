"""Environment variables that a program seems to read: no kernel sees that, so their names are looked for in its text."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 16 * 1024 * 1024
_SHORTEST: Final = 3  # a shorter name stands in any text by chance


def names_in(entry: Path, names: Iterable[str]) -> tuple[str, ...]:
    """Return which of `names` stand as whole words in the file `entry`, as text or, as in a .NET program, in UTF-16."""
    try:
        with entry.open("rb") as file:
            data = file.read(_MOST_BYTES)
    except OSError:
        return ()
    return tuple(name for name in sorted(names) if len(name) >= _SHORTEST and _occurs(name, data))


def _occurs(name: str, data: bytes) -> bool:
    return any(
        re.search(before + re.escape(name.encode(code)) + behind, data)
        for code, before, behind in (
            ("utf-8", rb"(?<![A-Za-z0-9_])", rb"(?![A-Za-z0-9_])"),
            ("utf-16-le", rb"(?<![A-Za-z0-9_]\0)", rb"(?![A-Za-z0-9_]\0)"),
        )
    )
