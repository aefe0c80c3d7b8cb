"""What the ports of this engine share: the connections, the bells, the number of the queue, the clock."""

import secrets
from collections.abc import Callable

from netscript_workers.engines.postgres.bells import Bells
from netscript_workers.engines.postgres.connection import Connections
from netscript_workers.engines.postgres.unheard import UnheardClaims


class Base:
    """State of one opened queue; the ports are mixed in over it."""

    def __init__(self, url: str, queue_name: str, shown: str, clock: Callable[[], int] | None) -> None:
        """Touch nothing yet. `clock` (ms since 1970) takes the place of the server's time for due times and records."""
        self._queue_name = queue_name
        self._clock = clock
        self._connections = Connections(url, shown)
        self._bells = Bells(self._connections)
        self._number = 0
        self._unheard_claims = UnheardClaims()
        self._unsure: dict[tuple[str, int], int] = {}  # settlements whose answer never arrived: claim to mark

    def _now(self) -> int | None:
        """Return the time to use, or None for the server's own."""
        return None if self._clock is None else self._clock()


def new_token() -> int:
    """Return a number that no claim or settlement has had: 62 random bits."""
    return secrets.randbits(62)
