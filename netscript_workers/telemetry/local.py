"""The local socket on which a daemon tells this host how it is, for `workers health`.

It is an abstract one (Linux): no file to clean up after a kill, no directory that must be writable in a container, and it is gone
with its process. Its name holds the queue and the process; whoever is in the same network namespace can ask.
"""

import hashlib
import socket
import sys
from pathlib import Path
from typing import Final

_PREFIX: Final = "netscript-workers/"
_TABLE: Final = Path("/proc/net/unix")
MAX_ANSWER: Final = 65_536


def available() -> bool:
    """Tell whether this system has such sockets."""
    return sys.platform == "linux"


def family_of(provider: str, queue_name: str, place: str) -> str:
    """Return the short name that all daemons of one queue share; `place` tells embedded queues of one name apart."""
    return hashlib.sha256(f"{provider}\0{queue_name}\0{place}".encode()).hexdigest()[:16]


def bind(family: str, pid: int) -> socket.socket:
    """Bind the socket of process `pid`."""
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        bound.setblocking(False)  # noqa: FBT003 - the standard library's own
        bound.bind(f"\0{_PREFIX}{family}/{pid}")
    except BaseException:
        bound.close()
        raise
    return bound


def pids(family: str) -> list[int]:
    """Return the processes that listen here for `family`."""
    found: set[int] = set()
    for line in _TABLE.read_text(errors="replace").splitlines():
        _, marked, name = line.partition(f"@{_PREFIX}{family}/")
        if marked and name.isdecimal():
            found.add(int(name))
    return sorted(found)


def ask(family: str, pid: int, path: str, timeout_s: float) -> tuple[int, str]:
    """GET `path` of that process; returns the status and the text. Raises `OSError` (`TimeoutError` for a hung loop)."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asked:
        asked.settimeout(timeout_s)
        asked.connect(f"\0{_PREFIX}{family}/{pid}")
        asked.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode("ascii"))
        answer = b""
        while len(answer) < MAX_ANSWER and (more := asked.recv(4_096)):
            answer += more
    head, _, body = answer.partition(b"\r\n\r\n")
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():  # noqa: PLR2004 - the protocol's name and the status
        raise ConnectionError("no answer in HTTP")
    return int(words[1]), body.decode(errors="replace").strip()
