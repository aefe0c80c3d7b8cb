"""What an observed run did, as the watcher notes it: one line of JSON for each thing, the first time it happens."""

import os
from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec


class Did(StrEnum):
    """What a run did to a path, a program or an address."""

    READ = "read"
    LIST = "list"
    LOOK = "look"
    WRITE = "write"
    MAKE = "make"
    RUN = "run"
    NET = "net"


class Observed(msgspec.Struct, frozen=True, array_like=True):
    """One thing that a run did. `what` is an absolute path, or `address:port` for `NET`.

    `READ`, `LIST` and `WRITE` are of what was there already, a directory for `LIST`; `LOOK` only asked whether a file
    is there and what it is like; the `what` of `MAKE` is the directory in which something was made, renamed or removed.
    """

    did: Did
    what: str
    at: float = 0.0


MOST_OBSERVED: Final = 20_000
_encode: Final = msgspec.json.Encoder().encode
_decode: Final = msgspec.json.Decoder(Observed).decode


def line_of(observed: Observed) -> bytes:
    """Return the line that notes `observed`."""
    return _encode(observed) + b"\n"


def read_back(file: Path) -> tuple[Observed, ...]:
    """Read the notes of a run; none where it made none. Raises `OSError`, `msgspec.DecodeError`."""
    if not file.exists():
        return ()
    return tuple(_decode(line) for line in file.read_bytes().splitlines())


def program_starts(observed: Iterable[Observed]) -> tuple[str, ...]:
    """Return the programs that were started, in order, each once."""
    return tuple(dict.fromkeys(each.what for each in observed if each.did is Did.RUN))


def below(path: str, folder: str) -> bool:
    """Tell whether `path` is `folder` or in it."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)
