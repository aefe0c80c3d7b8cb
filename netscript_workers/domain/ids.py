"""Identifiers: execution ids are UUIDv7 (RFC 9562), target ids and topics are kebab-case.

A UUIDv7 begins with the milliseconds since 1970, so ids sort by time of birth, and an index over them
only ever grows at its end. Within one process ids are strictly increasing even in one millisecond.
"""

import os
import re
import threading
from typing import Final

_TARGET_ID: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*\Z")
_MAX_ID_LENGTH: Final = 128


class IdFactory:
    """Makes strictly increasing UUIDv7 strings. Safe to share between threads."""

    def __init__(self) -> None:
        """Start with no memory of earlier ids."""
        self._lock = threading.Lock()
        self._last = 0

    def new(self, now_ms: int) -> str:
        """Return a new lower-case UUIDv7 for the time `now_ms` (milliseconds since 1970, UTC).

        The 74 random bits act as a counter when the millisecond has not moved on, as RFC 9562,
        section 6.2, method 2 allows, so that order of creation is order of sorting.
        """
        fresh = (now_ms << 74) | (int.from_bytes(os.urandom(10), "big") & ((1 << 73) - 1))
        with self._lock:
            value = fresh if fresh > self._last else self._last + 1
            self._last = value
        return format_uuid7(value)

    def new_many(self, now_ms: int, count: int) -> list[str]:
        """Return `count` increasing ids at once: one draw of randomness for all of them."""
        fresh = (now_ms << 74) | (int.from_bytes(os.urandom(10), "big") & ((1 << 73) - 1))
        with self._lock:
            first = fresh if fresh > self._last else self._last + 1
            self._last = first + count - 1
        return [format_uuid7(first + offset) for offset in range(count)]


def format_uuid7(value: int) -> str:
    """Lay 48 bits of time and 74 bits of rest out as a UUID of version 7, variant 10."""
    high = value >> 62  # 48 bits of time and 12 of the rest
    low = value & ((1 << 62) - 1)
    bits = ((high >> 12) << 80) | (0x7 << 76) | ((high & 0xFFF) << 64) | (0b10 << 62) | low
    text = f"{bits:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_execution_id(text: str) -> bool:
    """Tell whether `text` has the form of an execution id."""
    return (
        re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", text) is not None
    )


def born_at(execution_id: str) -> int | None:
    """Return the time of birth in an execution id (ms since 1970, by the clock of whoever made it); None for another text."""
    return int(execution_id[:8] + execution_id[9:13], 16) if is_execution_id(execution_id) else None


def is_target_id(text: str) -> bool:
    """Tell whether `text` is a usable id for a target or a topic: kebab-case, at most 128 characters."""
    return len(text) <= _MAX_ID_LENGTH and _TARGET_ID.match(text) is not None


def kebab(name: str) -> str:
    """Turn a file stem or function name into kebab-case: `process_payment` becomes `process-payment`."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name)
    return re.sub(r"[^a-z0-9]+", "-", spaced.lower()).strip("-")
