"""Text that comes from user code, made safe to keep: it can be encoded, and it has a bound."""

import traceback
from types import TracebackType
from typing import Final

MAX_ERROR_CHARS: Final = 32_768
_HEAD_CHARS: Final = 4_096
_OWN_FILES: Final = frozenset({__file__, __file__.replace("text.py", "invoke.py")})


def encodable(text: str) -> str:
    """Return `text` with lone surrogates written as escapes, so that it has a UTF-8 form."""
    if text.isascii():
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def bounded(text: str, limit: int = MAX_ERROR_CHARS) -> str:
    """Return an encodable `text` of about `limit` characters at most, cut in the middle and saying so."""
    text = encodable(text)
    if len(text) <= limit:
        return text
    head = min(_HEAD_CHARS, limit // 2)
    tail = limit - head
    return f"{text[:head]}\n… {len(text) - limit} characters left out …\n{text[-tail:]}"


def safe_str(value: object) -> str:
    """Return `str(value)`, or a stand-in naming the type when its own `__str__` fails."""
    try:
        return str(value)
    except Exception as error:  # noqa: BLE001 - a broken `__str__` may raise anything
        return f"<{type(value).__name__} whose str() raised {type(error).__name__}>"


def safe_repr(value: object) -> str:
    """Return `repr(value)`, or a stand-in naming the type when its own `__repr__` fails."""
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001 - a broken `__repr__` may raise anything
        return f"<{type(value).__name__} whose repr() raised {type(error).__name__}>"


def traceback_text(error: BaseException) -> str:
    """Return the traceback of `error` without the frames of this package that led to the handler."""
    try:
        lines = traceback.format_exception(type(error), error, _without_own_frames(error.__traceback__))
        text = "".join(lines).rstrip()
    except Exception:  # noqa: BLE001 - an exception class can break its own formatting in any way
        text = f"{type(error).__name__}: {safe_str(error)}"
    return bounded(text)


def _without_own_frames(frames: TracebackType | None) -> TracebackType | None:
    while frames is not None and frames.tb_frame.f_code.co_filename in _OWN_FILES:
        frames = frames.tb_next
    return frames
