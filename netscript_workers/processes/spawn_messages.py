"""What the daemon, the process that keepers are forked from and the keepers say to one another, in frames over their sockets."""

import os
from typing import Final

import msgspec

from netscript_workers.domain.command import CommandSpec, Confinement
from netscript_workers.processes.frames import framed


class Prepare(msgspec.Struct, frozen=True, tag="prepare", array_like=True):
    """To the source of keepers, first: the modules of confinements that will come; it imports them before it forks anything."""

    modules: tuple[str, ...] = ()


class Keep(msgspec.Struct, frozen=True, tag="keep", array_like=True):
    """To the source of keepers: fork one that serves the socket which comes along."""


class Ready(msgspec.Struct, frozen=True, tag="ready", array_like=True):
    """From the source of keepers: it takes orders. `error` says which module could not be imported, and why."""

    error: str | None = None


class NotKept(msgspec.Struct, frozen=True, tag="not-kept", array_like=True):
    """From the source of keepers: it could not fork one, whose socket is closed therefore."""

    reason: str


class Spawn(msgspec.Struct, frozen=True, tag="spawn", array_like=True):
    """To an idle keeper: start a program known as `serial`. Its stdin, stdout and stderr come along as descriptors.

    Text is as the system has it: bytes, which need not be UTF-8.
    """

    serial: int
    argv: tuple[bytes, ...]
    env: dict[bytes, bytes]
    cwd: bytes
    confinement: Confinement | None = None


class Signal(msgspec.Struct, frozen=True, tag="signal", array_like=True):
    """To a keeper: send this signal to the process group of that program. Nothing happens when it has ended."""

    serial: int
    number: int


class Kill(msgspec.Struct, frozen=True, tag="kill", array_like=True):
    """To a keeper: end that program and everything below it. Nothing happens when it has ended."""

    serial: int


class Started(msgspec.Struct, frozen=True, tag="started", array_like=True):
    """From a keeper: that program has this process id. A confined one may still turn out not to be startable."""

    serial: int
    pid: int


class Refused(msgspec.Struct, frozen=True, tag="refused", array_like=True):
    """From a keeper, or the new process: the program was not started. `Exited` follows.

    `step` says what failed: `fork`, `cwd`, `confinement` or `exec`; `number` is the errno, 0 where there is none.
    """

    serial: int
    step: str
    number: int
    reason: str


class Exited(msgspec.Struct, frozen=True, tag="exited", array_like=True):
    """From a keeper: the program and all its descendants are gone, or it was not started.

    `status` is an exit status or minus a signal's number; `max_rss` is bytes (0: less than can be told), `survivors`
    counts what could not be ended in time: such a keeper is not to be used again.
    """

    serial: int
    status: int
    max_rss: int = 0
    cpu_ms: int = 0
    survivors: int = 0


ToSource = Prepare | Keep
FromSource = Ready | NotKept
ToKeeper = Spawn | Signal | Kill
FromKeeper = Started | Refused | Exited
Message = ToSource | FromSource | ToKeeper | FromKeeper

TO_SOURCE: Final = msgspec.msgpack.Decoder[ToSource](ToSource)
FROM_SOURCE: Final = msgspec.msgpack.Decoder[FromSource](FromSource)
TO_KEEPER: Final = msgspec.msgpack.Decoder[ToKeeper](ToKeeper)
FROM_KEEPER: Final = msgspec.msgpack.Decoder[FromKeeper](FromKeeper)
_encode: Final = msgspec.msgpack.Encoder().encode


def frame(message: Message) -> bytes:
    """Encode a message with its length in front; raises `SlotError` when it is too large to travel."""
    return framed(_encode(message))


def order_for(serial: int, spec: CommandSpec) -> Spawn:
    """Put a command into the words of the wire."""
    return Spawn(
        serial,
        tuple(os.fsencode(word) for word in spec.argv),
        {os.fsencode(name): os.fsencode(value) for name, value in spec.env.items()},
        os.fsencode(spec.cwd),
        spec.confinement,
    )
