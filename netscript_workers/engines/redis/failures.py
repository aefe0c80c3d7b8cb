"""What Redis's errors mean for whoever uses the queue, and what to do about each."""

from collections.abc import Mapping
from typing import Final

from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)
from redis.exceptions import (
    ConnectionError as LinkError,
)
from redis.exceptions import (
    TimeoutError as LateError,
)

from netscript_workers.errors import EngineError, EngineUnavailableError

# Answers that pass: the first word of the error, and what it means.
_PASSING: Final[Mapping[str, str]] = {
    "OOM": "its memory is full (maxmemory). Give it more, or wait until work drains: "
    "nothing is lost, only new work is refused",
    "MISCONF": "it cannot write to its disk and takes no more changes. Free its disk; nothing is lost",
    "READONLY": "it is a replica now. Another one was made the primary: point redis_url there, if it stays so",
    "LOADING": "it is still loading its data",
    "BUSY": "it is busy with somebody's script",
    "CLUSTERDOWN": "its cluster is down",
    "TRYAGAIN": "its cluster is moving this queue",
    "MASTERDOWN": "its primary is down",
    "NOREPLICAS": "it has fewer replicas than it was told to have",
    "UNBLOCKED": "it was made a replica meanwhile",
}


def explained(error: Exception, where: str) -> Exception:
    """Return our error for one of the driver's, with what to do; one that no waiting mends stays what it is."""
    if isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError)):
        return EngineUnavailableError(
            f"Redis at {where} refuses this user: {error}. Check user and password in connections.redis_url (REDIS_URL), "
            "and what the user may do: every command on the keys netscript:* and the channels netscript:*."
        )
    word = str(error).partition(" ")[0]
    if isinstance(error, OutOfMemoryError):
        word = "OOM"
    elif isinstance(error, ReadOnlyError):
        word = "READONLY"
    elif isinstance(error, BusyLoadingError):
        word = "LOADING"
    if word in _PASSING:
        return EngineError(f"Redis at {where}: {_PASSING[word]} ({error})")
    if isinstance(error, (LateError, TimeoutError)):
        return EngineError(f"Redis at {where} does not answer: {error or 'timeout'}")
    if isinstance(error, (LinkError, OSError)):
        return EngineError(f"the connection to Redis at {where} failed: {error}")
    if isinstance(error, RedisError) and not isinstance(error, ResponseError):
        return EngineError(f"Redis at {where} failed: {error}")
    return error
