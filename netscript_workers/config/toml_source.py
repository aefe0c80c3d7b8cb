"""Reading a TOML config; a broken one is reported with line, column and what was expected there."""

import re
import tomllib
from pathlib import Path
from typing import Final

from netscript_workers.config.document import Document
from netscript_workers.config.locate import locate
from netscript_workers.domain.problem import Problem

_WHERE: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)\s*$")
_EXPECTED: Final = {
    "Invalid value": "a value was expected: text in quotes, a number, true, false, [ … ] or { … }",
    "Invalid statement": "a line “key = value”, a [table] or a [[list of tables]] was expected",
    "Invalid initial character for a key part": "a key was expected: letters, digits, _ and -, or text in quotes",
    "Expected '=' after a key in a key/value pair": "“=” was expected after the key",
    "Expected newline or end of document after a statement": "the end of the line was expected after the value",
    "Unclosed array": "“,” or “]” was expected: the list is not closed",
    "Unclosed inline table": "“,” or “}” was expected: the inline table is not closed",
    "Unterminated string": "the closing quote was expected",
    "Cannot overwrite a value": "a new key was expected: this one has a value already",
    "Expected ']' at the end of a table declaration": "“]” was expected at the end of the table's name",
    "Expected ']]' at the end of an array declaration": "“]]” was expected at the end of the list's name",
}


def read_toml(file: Path, raw: bytes) -> Document:
    """Parse `raw`; never raises for what stands in it."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8", "replace")
        line, column = before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
        return _broken(file, "UTF-8 text was expected: this byte belongs to another encoding", line, column)
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        return _broken(file, *_explain(str(error), text))
    except RecursionError:
        return _broken(file, "less nesting was expected: the values are nested too deeply", None, None)
    return Document(file, values, locate(text), [])


def _explain(message: str, text: str) -> tuple[str, int, int]:
    lines = text.splitlines() or [""]
    line, column = len(lines), len(lines[-1]) + 1
    match = _WHERE.search(message)
    if match and match.group(1):
        line, column = int(match.group(1)), int(match.group(2))
    bare = _WHERE.sub("", message)
    return _EXPECTED.get(bare, bare[:1].lower() + bare[1:]), line, column


def _broken(file: Path, message: str, line: int | None, column: int | None) -> Document:
    problem = Problem(
        code="E002",
        message=f"broken TOML: {message}",
        file=str(file),
        line=line,
        column=column,
        hint=_hint(message),
    )
    return Document(file, {}, {}, [problem])


def _hint(message: str) -> str:
    if message.startswith("a value was expected"):
        return 'put text into quotes: name = "text"'
    return ""
