"""Durations: milliseconds as integers, or text such as `30s`, `5m`, `1h30m`, `250ms`."""

import re
from typing import Final

_UNITS: Final = {
    "ms": 1,
    "s": 1_000,
    "m": 60_000,
    "h": 3_600_000,
    "d": 86_400_000,
    "w": 604_800_000,
}
_PART: Final = re.compile(r"(\d+)(ms|[smhdw])")
PATTERN: Final = r"^(\d+(ms|[smhdw]))+$"
MAX_DURATION_MS: Final = 3_650 * _UNITS["d"]


class DurationError(ValueError):
    """A value is no duration; the message says what one looks like."""


def parse_duration(value: object) -> int:
    """Return the milliseconds that `value` (an integer, or text with units) stands for.

    Booleans, floats, negative values, bare numbers as text and anything over ten years raise `DurationError`.
    Parts add up: `1h30m`. Each unit may occur once and the larger one comes first.
    """
    if isinstance(value, str):
        duration = _from_text(value.strip())
    elif isinstance(value, int) and not isinstance(value, bool):
        duration = value
    else:
        raise DurationError("is no duration: write whole milliseconds (30000) or text with a unit (“30s”)")
    if duration < 0:
        raise DurationError("is negative; a duration is 0 or more")
    if duration > MAX_DURATION_MS:
        raise DurationError("is longer than ten years (3650d)")
    return duration


def format_duration(duration_ms: int) -> str:
    """Write milliseconds as the shortest exact text (`90000` becomes `1m30s`); `parse_duration` reads it back."""
    if duration_ms == 0:
        return "0ms"
    parts: list[str] = []
    rest = duration_ms
    for unit in ("d", "h", "m", "s", "ms"):
        count, rest = divmod(rest, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def _from_text(text: str) -> int:
    if re.fullmatch(r"\d+", text):
        raise DurationError(
            f"has no unit: write {text} without quotes for milliseconds, or “{text}s” for seconds"
        )
    if re.fullmatch(PATTERN, text) is None:
        raise DurationError(
            "is no duration: write a whole number and a unit (ms, s, m, h, d, w), such as “30s”"
        )
    parts = [(int(count), _UNITS[unit]) for count, unit in _PART.findall(text)]
    sizes = [size for _, size in parts]
    if sizes != sorted(set(sizes), reverse=True):
        raise DurationError("names a unit twice or a small one before a larger: write “1h30m”")
    return sum(count * size for count, size in parts)
