"""What the ports of this engine share: the server, the bells, the names of the keys, the clock."""

import secrets
from collections.abc import Callable
from typing import Any

from netscript_workers.engines.redis.bells import Bells
from netscript_workers.engines.redis.connection import Server, Word
from netscript_workers.engines.redis.records import encode


class Base:
    """State of one opened queue; the ports are mixed in over it."""

    def __init__(self, url: str, shown: str, queue_name: str, clock: Callable[[], int] | None) -> None:
        """Touch nothing yet. `clock` (ms since 1970) stands in for the server's time of records and due times."""
        # All keys of a queue have one hash tag, so that a cluster keeps them on one node.
        self._root = f"netscript:{{{queue_name}}}"
        self._clock = clock
        self._server = Server(url, shown)
        self._bells = Bells(self._server, self._root)
        self._engine_id = secrets.token_hex(8)

    async def _run(self, verb: str, given: Any, *more: Word) -> Any:
        """Run a script on this queue with one batch; what follows it is bytes that the script only keeps."""
        now = "" if self._clock is None else self._clock()
        return await self._server.run(verb, self._root, now, encode(given), *more)
