"""Sizes in bytes: integers, or text such as `256M`. Units are powers of 1024, as systemd and Docker read them."""

import re
from typing import Final

_UNITS: Final = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
PATTERN: Final = r"^\d+\s*([KkMmGgTt]([Ii]?[Bb])?|[Bb])?$"
MAX_SIZE: Final = 1 << 50


class SizeError(ValueError):
    """A value is no size; the message says what one looks like."""


def parse_size(value: object) -> int:
    """Return the bytes that `value` (an integer, or text such as `256M`, `2GiB`) stands for; `SizeError` if none."""
    if isinstance(value, str):
        if re.fullmatch(PATTERN, value.strip()) is None:
            raise SizeError(
                "is no size: write a whole number of bytes, or one with K, M, G or T, such as “256M”"
            )
        digits = re.match(r"\d+", value.strip())
        number = int(digits.group()) if digits else 0
        unit = value.strip().lstrip("0123456789").strip().upper().removesuffix("B").removesuffix("I")
        size = number * _UNITS[unit]
    elif isinstance(value, int) and not isinstance(value, bool):
        size = value
    else:
        raise SizeError("is no size: write a whole number of bytes, or text such as “256M”")
    if size < 0:
        raise SizeError("is negative; a size is 0 or more")
    if size > MAX_SIZE:
        raise SizeError("is over 1024T")
    return size


def format_size(size: int) -> str:
    """Write bytes with the largest unit that keeps it exact (`268435456` becomes `256M`)."""
    for unit in ("T", "G", "M", "K"):
        if size and size % _UNITS[unit] == 0:
            return f"{size // _UNITS[unit]}{unit}"
    return str(size)


def show_size(size: int) -> str:
    """Write bytes for people: one decimal in the unit that fits (`4.4M`)."""
    for unit in ("T", "G", "M", "K"):
        if size >= _UNITS[unit]:
            return f"{size / _UNITS[unit]:.1f}".removesuffix(".0") + unit
    return f"{size}B"
