"""The environment of a confined run: the variables it may see, and nothing of the others left in its memory."""

import ctypes
import os
from collections.abc import Mapping
from typing import Final

from netscript_workers.domain.permissions import Grant

# How programs are found and text is written: no secrets, and little works without.
ALWAYS: Final = frozenset(
    {
        "PATH",
        "LANG",
        "LANGUAGE",
        "LC_ALL",
        "LC_CTYPE",
        "LC_NUMERIC",
        "LC_TIME",
        "LC_COLLATE",
        "LC_MESSAGES",
        "TZ",
        "TMPDIR",
    }
)
# What makes a loader run code that nobody granted.
_LOADER: Final = ("LD_PRELOAD", "LD_AUDIT", "LD_LIBRARY_PATH")
_PROXIES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "FTP_PROXY")
_SKIPPED_STAT_FIELDS: Final = 47  # of /proc/self/stat behind the name; then come env_start and env_end


def visible(env: Mapping[str, str], grant: Grant, given: frozenset[str]) -> dict[str, str]:
    """Return what of `env` a run sees: all with a grant of True, else the granted names, those `given` by name, and `ALWAYS`.

    `LD_PRELOAD` and its like stay only when they are named.
    """
    if grant is True:
        return {name: value for name, value in env.items() if name not in _LOADER or name in given}
    allowed = ALWAYS | given | frozenset(grant or ())
    return {name: value for name, value in env.items() if name in allowed}


def through_proxy(env: Mapping[str, str], url: str) -> dict[str, str]:
    """Return `env` with `url` as the way out for HTTP and HTTPS, in both spellings that programs look for, and no exceptions."""
    kept = {name: value for name, value in env.items() if name.upper() not in _PROXIES}
    return {**kept, **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), url)}


def wipe_environment(kept: frozenset[bytes], given: Mapping[bytes, bytes]) -> None:
    """Forget every variable but those `kept` and `given`, also in the block that the kernel shows in /proc/self/environ."""
    stays = {name: value for name, value in os.environb.items() if name in kept}
    for name in list(os.environb):
        del os.environb[name]
    with open("/proc/self/stat", "rb", buffering=0) as file:
        fields = file.read(4096).rsplit(b")", 1)[1].split()
    start, end = int(fields[_SKIPPED_STAT_FIELDS]), int(fields[_SKIPPED_STAT_FIELDS + 1])
    if 0 < start < end:
        ctypes.memset(start, 0, end - start)
    os.environb.update({**stays, **given})
