"""From pydantic's errors to problems: our code, the place of the key, and never a secret."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.config.place import KeyPath, Place, dotted, problem_at
from netscript_workers.config.spelling import nearest
from netscript_workers.domain.problem import Problem

if TYPE_CHECKING:
    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_OURS: Final = re.compile(r"E\d{3}\Z")
_SECRET_KEYS: Final = frozenset(
    {"connections", "api", "redis_url", "database_url", "amqp_url", "token", "deno_kv_path", "env"}
)
_TYPE_WORDS: Final = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "string_type": "must be text",
    "bool_type": "must be true or false",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "mapping_type": "must be a table",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "model_attributes_type": "must be a table",
}


class Finding:
    """One validation error: its path in the tree, its code, and what it says."""

    def __init__(self, error: "ErrorDetails") -> None:
        """Translate one of pydantic's errors."""
        self.path: KeyPath = tuple(part for part in error["loc"] if part != "[key]")
        self.missing = error["type"] == "missing"
        self.code, message, self.hint = _translate(error)
        self.message = message + self._instead(error)

    def _instead(self, error: "ErrorDetails") -> str:
        value: object = error["input"]
        shown = self.code in ("E012", "E013", "E014", "E016", "E017") and isinstance(value, (str, int, float))
        if not shown or _SECRET_KEYS & set(self.path) or (isinstance(value, str) and "://" in value):
            return ""
        text = str(value).lower() if isinstance(value, bool) else repr(value)
        return f", not {text}" if self.code in ("E012", "E013", "E014") else f" (it is {text})"

    def at(self, place: Place) -> Problem:
        """Return the problem, at the place of its key in the file."""
        name = self.path[-1] if self.path else ""
        subject = f"entry {name}" if isinstance(name, int) else f"“{name}”"
        message = self.message if self.missing else f"{subject} {self.message}"
        return problem_at(self.code, place._replace(path=self.path), message, self.hint)

    def said_by(self, code: str, name: str) -> Problem:
        """Return the problem of a variable or an option called `name`."""
        return Problem(
            code=code,
            message=f"{name} {self.message}",
            hint=self.hint or f"mend or unset {name}",
            path=dotted(self.path),
        )


def findings(error: "ValidationError") -> list[Finding]:
    """Return every error in `error`."""
    return [Finding(detail) for detail in error.errors(include_url=False)]


def nearest_place(path: KeyPath, places: Mapping[KeyPath, Place], top: Place) -> Place:
    """Return the place of `path`, or of the nearest table around it."""
    for length in range(len(path), 0, -1):
        if path[:length] in places:
            return places[path[:length]]
    return top


def _translate(error: "ErrorDetails") -> tuple[str, str, str]:
    kind = error["type"]
    context = error.get("ctx", {})
    if _OURS.match(kind):
        return kind, str(context["text"]), str(context["hint"])
    if kind == "missing":
        return "E015", f"“{error['loc'][-1]}” is missing", "add it: it is required here"
    if kind in ("greater_than_equal", "less_than_equal"):
        bound = context["ge"] if kind == "greater_than_equal" else context["le"]
        return "E013", f"must be {'at least' if kind == 'greater_than_equal' else 'at most'} {bound}", ""
    if kind in ("enum", "literal_error"):
        return _wrong_word(error, context)
    if kind == "extra_forbidden":
        return "E010", "is no known key", ""
    return "E012", _TYPE_WORDS.get(kind, error["msg"][:1].lower() + error["msg"][1:]), ""


def _wrong_word(error: "ErrorDetails", context: dict[str, Any]) -> tuple[str, str, str]:
    words = re.findall(r"'([^']+)'", str(context.get("expected", "")))
    value: object = error["input"]
    word = value.value if isinstance(value, Enum) else value
    match = nearest(word, words) if isinstance(word, str) else None
    hint = f"did you mean “{match}”?" if match else ""
    return "E014", f"must be one of {', '.join(words)}", hint
