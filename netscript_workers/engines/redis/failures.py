"""What Redis's errors mean for whoever uses the queue, and what to do about each."""

from collections.abc import Mapping
from typing import Final

from redis.exceptions import (
    AskError,
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    MasterDownError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
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
    "ASK": "its cluster is moving this queue",
    "MASTERDOWN": "its primary is down",
    "NOREPLICAS": "it has fewer replicas than it was told to have",
    "UNBLOCKED": "it was made a replica meanwhile",
}

_OURS: Final = "user_script"  # Redis's name for every script, in each error out of one
_REFUSED_IN_A_SCRIPT: Final = "ACL failure in script"

# The driver takes the first word off these and says it by the class. A subclass stands before its base.
_BY_CLASS: Final[Mapping[type[Exception], str]] = {
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
    BusyLoadingError: "LOADING",
    MasterDownError: "MASTERDOWN",
    ClusterDownError: "CLUSTERDOWN",
    TryAgainError: "TRYAGAIN",
    AskError: "ASK",
}


def explained(error: Exception, where: str) -> Exception:
    """Return our error for one of the driver's, with what to do; a fault in a script of ours stays what it is."""
    said = str(error)
    refused = isinstance(error, (AuthenticationError, AuthorizationError, NoPermissionError))
    if refused or _REFUSED_IN_A_SCRIPT in said:
        return EngineUnavailableError(
            f"Redis at {where} refuses this user: {error}. Check user and password in connections.redis_url (REDIS_URL), "
            "and what the user may do: every command on the keys netscript:* and the channels netscript:*."
        )
    known = next((word for kind, word in _BY_CLASS.items() if isinstance(error, kind)), None)
    word = known or said.partition(" ")[0]
    if word in _PASSING:
        return EngineError(f"Redis at {where}: {_PASSING[word]} ({error})")
    if isinstance(error, (LateError, TimeoutError)):
        return EngineError(f"Redis at {where} does not answer: {error or 'timeout'}")
    if isinstance(error, (LinkError, OSError)):
        return EngineError(f"the connection to Redis at {where} failed: {error}")
    if isinstance(error, ResponseError) and _OURS in said and not word.isupper():
        return error  # a plain ERR out of a script: no waiting mends it
    if isinstance(error, RedisError):
        return EngineError(f"Redis at {where} failed: {error}")
    return error
