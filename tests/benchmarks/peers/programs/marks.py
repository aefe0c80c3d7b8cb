"""The no-op job's one deed, the same for every product: note the time in a file that the measuring process watches.

Eight bytes are appended in one system call (about a microsecond), safe from any number of processes and threads.
"""

import os
import time

# {"text": "xxx…"}: 100 bytes as JSON without spaces.
PAYLOAD = {"text": "x" * 89}

_opened: dict[int, int] = {}


def mark() -> None:
    """Append the time now (nanoseconds since 1970)."""
    pid = os.getpid()  # a fork may have had its descriptors closed, so each process opens its own
    descriptor = _opened.get(pid)
    if descriptor is None:
        descriptor = os.open(os.environ["PEER_MARKS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        _opened.clear()
        _opened[pid] = descriptor
    os.write(descriptor, time.time_ns().to_bytes(8, "little"))
