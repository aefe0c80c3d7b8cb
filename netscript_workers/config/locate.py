"""Where each key of a TOML document stands: `tomllib` gives values, this gives lines and columns.

The scanner runs only over text that `tomllib` has accepted, so it may trust the grammar and stays small.
"""

import re
import tomllib
from bisect import bisect_right
from typing import Final

from netscript_workers.config.place import KeyPath, Position

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+")
_BLANK: Final = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE: Final = re.compile(r"[ \t]*")
_SCALAR: Final = re.compile(r"[^,\]}#\n]+")
_STRING: Final = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:"{0,2}(?!"))|\'\'\'.*?\'\'\'(?:\'{0,2}(?!\'))|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'',
    re.DOTALL,
)


def locate(text: str) -> dict[KeyPath, Position]:
    """Return the position of every key, table header and array element of a valid TOML document, by key path."""
    return _Scanner(text).run()


class _Scanner:
    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n")
        self._at = 0
        self._found: dict[KeyPath, Position] = {}
        self._counts: dict[KeyPath, int] = {}
        self._line_starts = [0, *(match.end() for match in re.finditer("\n", self._text))]

    def run(self) -> dict[KeyPath, Position]:
        table: KeyPath = ()
        while True:
            self._skip(_BLANK)
            if self._at >= len(self._text):
                return self._found
            if self._text.startswith("[[", self._at):
                table = self._header(2)
            elif self._text[self._at] == "[":
                table = self._header(1)
            else:
                self._pair(table)

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self._text, self._at)
        if match:
            self._at = match.end()

    def _position(self, at: int) -> Position:
        line = bisect_right(self._line_starts, at)
        return Position(line, at - self._line_starts[line - 1] + 1)

    def _header(self, brackets: int) -> KeyPath:
        self._at += brackets
        keys = self._keys()
        self._skip(_SPACE)
        self._at += brackets
        path: KeyPath = ()
        for index, (key, at) in enumerate(keys):
            path = (*path, key)
            is_last = index == len(keys) - 1
            if is_last and brackets == 2:  # noqa: PLR2004 - `[[`
                self._found.setdefault(path, self._position(at))
                self._counts[path] = self._counts.get(path, 0) + 1
            else:
                self._found.setdefault(path, self._position(at))
            if path in self._counts:
                path = (*path, self._counts[path] - 1)
                self._found.setdefault(path, self._position(at))
        return path

    def _keys(self) -> list[tuple[str, int]]:
        keys: list[tuple[str, int]] = []
        while True:
            self._skip(_SPACE)
            start = self._at
            if self._text[start] in "\"'":
                self._skip(_STRING)
                keys.append((tomllib.loads(f"k = {self._text[start : self._at]}")["k"], start))
            else:
                self._skip(_BARE)
                keys.append((self._text[start : self._at], start))
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return keys
            self._at += 1

    def _pair(self, table: KeyPath) -> None:
        path = table
        for key, at in self._keys():
            path = (*path, key)
            self._found.setdefault(path, self._position(at))
        self._at += 1  # the equals sign
        self._skip(_SPACE)
        self._value(path)

    def _value(self, path: KeyPath) -> None:
        first = self._text[self._at]
        if first in "\"'":
            self._skip(_STRING)
        elif first == "[":
            self._array(path)
        elif first == "{":
            self._inline_table(path)
        else:
            self._skip(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "]":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            element = (*path, index)
            self._found[element] = self._position(self._at)
            self._value(element)
            index += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        while True:
            self._skip(_BLANK)
            if self._text[self._at] == "}":
                self._at += 1
                return
            if self._text[self._at] == ",":
                self._at += 1
                continue
            self._pair(path)
