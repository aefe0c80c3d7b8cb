"""Reading the payload that a command was given: JSON, `@FILE` or `-`."""

import json
import sys
from pathlib import Path
from typing import Any, cast

from netscript_workers.errors import PayloadError


def read_payload(text: str) -> dict[str, Any]:
    """Return the JSON object that `text` is or points to; raises `PayloadError` with the place of the mistake."""
    raw, where = _raw(text)
    try:
        value = json.loads(raw, parse_constant=_no_constant)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        place = (
            f"line {error.lineno}, column {error.colno}: {error.msg}"
            if isinstance(error, json.JSONDecodeError)
            else str(error)
        )
        raise PayloadError(
            f'the payload{where} is not JSON: {place}. Give an object, for example --payload \'{{"name": "Ada"}}\'.'
        ) from error
    if not isinstance(value, dict):
        raise PayloadError(
            f"the payload{where} must be a JSON object, not {_kind(value)}. Put the value under a name: "
            f"--payload '{{\"value\": …}}'."
        )
    return cast("dict[str, Any]", value)


def _raw(text: str) -> tuple[str | bytes, str]:
    if text == "-":
        return sys.stdin.buffer.read(), " on standard input"
    if not text.startswith("@"):
        return text, ""
    path = Path(text[1:])
    try:
        return path.read_bytes(), f" in {path}"
    except OSError as error:
        raise PayloadError(f"the payload file {path} cannot be read: {error.strerror}.") from error


def _no_constant(name: str) -> Any:
    raise PayloadError(f"the payload holds {name}, which JSON does not have. Use null or a string.")


def _kind(value: object) -> str:
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        return "a string"
    if isinstance(value, bool):
        return "a boolean"
    return "null" if value is None else "a number"
