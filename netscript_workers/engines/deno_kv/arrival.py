"""One message of Deno's queue, as it is read there."""

from typing import Any, NamedTuple

import msgspec

from netscript_workers.domain.execution import NewExecution
from netscript_workers.domain.message import NoJobError


class Place(NamedTuple):
    """Where a message lies: the number of its row, and a text made of its time and id, whatever their types are."""

    row: int
    name: str


class Arrival(msgspec.Struct, frozen=True, kw_only=True):
    """One message of Deno's queue: where it lies, and what it asks for (`wanted`), or why that is nothing (`reason`).

    `stranded`: a dead consumer of Deno's left it running. `seen` is when it was read (ms since 1970); the delay in `wanted`
    counts from then.
    """

    seen: int
    stranded: bool
    place: Place
    data: bytes
    keys: str
    wanted: NewExecution | None = None
    reason: str = ""

    @property
    def has_keys(self) -> bool:
        """Tell whether Deno wants the message back when it cannot be delivered."""
        return self.keys not in ("", "[]", "null")


def delay_of(at: Any, now: int) -> int:
    """Return how long to wait (ms) for a row's time due `at`; raises `NoJobError` for one that is no time.

    SQLite keeps in a column whatever it is given.
    """
    if not isinstance(at, int):
        raise NoJobError(f"its time due is no whole number of ms but of the type {type(at).__name__}")
    return max(0, at - now)


def first_backoff(schedule: bytes) -> int:
    """Return how long Deno would wait before it delivers again what its consumer left behind (ms)."""
    try:
        steps = msgspec.json.decode(schedule, type=list[int] | None)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return 0
    return max(0, steps[0]) if steps else 0
