"""Time, so that tests can own it."""

from typing import Protocol


class Clock(Protocol):
    """Tells the time of this host. Leases never depend on it."""

    def now_ms(self) -> int:
        """Return the milliseconds since 1970, UTC."""
        ...
