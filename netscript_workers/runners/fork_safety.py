"""What a fork of an interpreter that has run other people's code must look out for."""

import os
import sys
import threading
from pathlib import Path
from typing import Final

OOM_SCORE: Final = Path("/proc/self/oom_score_adj")
# A slot goes before its zygote and the daemon when the machine runs out of memory.
_SLOT_OOM_STEP: Final = 300


def unsafe_to_fork() -> str | None:
    """Say why a fork could hang: only the forking thread lives on in a child, and locks held by others stay held."""
    if sys.platform == "linux":
        count = sum(1 for _ in Path("/proc/self/task").iterdir())
    else:
        count = threading.active_count()
    if count == 1:
        return None
    names = sorted({thread.name for thread in threading.enumerate()} - {threading.main_thread().name})
    known = f" (of Python's: {', '.join(names)})" if names else " (none of them Python's: a native library's)"
    return f"the job modules start threads when they are imported: {count - 1} beside the main one{known}"


def slot_oom_score() -> bytes | None:
    """Return what a slot writes into `OOM_SCORE`; None where there is no such thing."""
    try:
        return str(min(1000, int(OOM_SCORE.read_text()) + _SLOT_OOM_STEP)).encode()
    except (OSError, ValueError):
        return None


def take_oom_score(score: bytes | None) -> None:
    """Be a slot to the kernel's search for memory; `score` is what `slot_oom_score` returned before the fork."""
    if score is not None:
        fd = os.open(OOM_SCORE, os.O_WRONLY)
        os.write(fd, score)
        os.close(fd)


def reseed() -> None:
    """Part the slots' random numbers; Python's own generator does it by itself after a fork, numpy's does not."""
    numpy_random = sys.modules.get("numpy.random")
    if numpy_random is not None:
        numpy_random.seed()
