"""Hearing of writes to files, where the system tells of them (Linux)."""

import ctypes
import os
import sys
from pathlib import Path
from typing import Final

MODIFIED: Final = 0x2
ONCE: Final = 0x8000_0000
"""Tell of the first write only, and forget the file."""


def open_watch() -> int:
    """Return a descriptor that becomes readable when a watched file is written; -1 where the system has none left."""
    if sys.platform != "linux":
        return -1
    return _libc().inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)


def watch(descriptor: int, path: Path, events: int = MODIFIED) -> bool:
    """Begin to watch `path`, a file or all files of a directory; False where that cannot be done."""
    if descriptor < 0:
        return False
    return _libc().inotify_add_watch(descriptor, os.fsencode(path), events) >= 0


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
