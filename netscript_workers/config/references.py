"""References to values that stand elsewhere: `env:NAME` and `file:PATH` in place of a secret."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationInfo
from pydantic_core import PydanticCustomError

from netscript_workers.config.home import at_home

if TYPE_CHECKING:
    from collections.abc import Mapping

ENV_PREFIX = "env:"
FILE_PREFIX = "file:"


def is_reference(value: object) -> bool:
    """Tell whether `value` names a place rather than being the value."""
    return isinstance(value, str) and value.startswith((ENV_PREFIX, FILE_PREFIX))


def resolve(value: str, info: ValidationInfo) -> str:
    """Return what `value` refers to, or `value` itself; raises the error E007 when the place holds nothing.

    A file's trailing line end is no part of its value. Nothing of what was read goes into an error.
    """
    context = cast("Mapping[str, Any]", info.context or {})
    if value.startswith(ENV_PREFIX):
        name = value.removeprefix(ENV_PREFIX)
        found = context.get("environ", {}).get(name)
        if not found:
            raise _unresolved(
                f"refers to the environment variable {name}, which is not set", f"export {name}=…"
            )
        return str(found)
    if value.startswith(FILE_PREFIX):
        path = Path(context.get("base") or ".", at_home(value.removeprefix(FILE_PREFIX)))
        try:
            text = path.read_text(encoding="utf-8").strip("\r\n")
        except UnicodeDecodeError:
            raise _unresolved(f"refers to the file {path}, which is no UTF-8 text", "") from None
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise _unresolved(f"refers to the file {path}, which cannot be read: {reason}", "") from None
        if not text:
            raise _unresolved(f"refers to the file {path}, which is empty", "")
        return text
    return value


def _unresolved(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("E007", "{text}", {"text": message, "hint": hint})
