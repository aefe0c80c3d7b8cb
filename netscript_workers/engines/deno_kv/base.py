"""What the three ports of this engine share: the connections, the bells, the statements, the number of the queue."""

import secrets
from collections.abc import Callable
from pathlib import Path
from typing import Any

from netscript_workers.engines.deno_kv.bells import Bells
from netscript_workers.engines.deno_kv.connection import Connections
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.errors import EngineUnavailableError


class Base:
    """State of one opened file; the ports are mixed in over it."""

    def __init__(self, path: Path, queue_name: str, wall_ms: Callable[[], int]) -> None:
        """Touch nothing yet."""
        self._path = path
        self._queue_name = queue_name
        self._wall_ms = wall_ms
        self._bells = Bells(path)
        self._connections = Connections(path, self._bells)
        self._sql = Statements()
        self._number = 0

    def _with(self, **parameters: Any) -> dict[str, Any]:
        parameters["queue"] = self._number
        return parameters


def new_token() -> int:
    """Return a number that no claim or settlement has had: 62 random bits."""
    return secrets.randbits(62)


def make_folder(path: Path, what: str) -> None:
    """Make the directory that `path` lies in, for `what` the file holds; raises `EngineUnavailableError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EngineUnavailableError(
            f"cannot make the directory {path.parent} for {what}: {error.strerror}. "
            "Make it, or set connections.deno_kv_path to a place this user may write."
        ) from error
