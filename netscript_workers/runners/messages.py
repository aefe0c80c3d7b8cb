"""What the daemon, the zygote and the slots say to one another: length-prefixed msgpack over Unix sockets.

A frame is four bytes of length (big endian) and one message. Output of handlers never travels here but
through pipes of its own, so nothing a handler prints can be taken for a message.
"""

from typing import Final

import msgspec

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.command import Confinement
from netscript_workers.domain.execution import Execution, LogLine, Progress
from netscript_workers.domain.outcome import Outcome
from netscript_workers.processes.frames import FrameReader, framed

__all__ = [
    "FROM_SLOT",
    "FROM_ZYGOTE",
    "TO_SLOT",
    "TO_ZYGOTE",
    "Cancel",
    "Done",
    "Exited",
    "Fork",
    "FrameReader",
    "Kill",
    "Logged",
    "Message",
    "Progressed",
    "Ready",
    "Run",
    "Setup",
    "Started",
    "frame",
]


class Setup(msgspec.Struct, frozen=True, tag="setup", array_like=True):
    """To the zygote, and to a slot that does not come from it: which handlers there are. `root` is the jobs directory.

    `load` false: import none of them, only start interpreters. `modules` are those that confinements name. `confinement`, to a
    slot that does not come from a fork: what it is held to before it imports anything else.
    """

    handlers: tuple[HandlerRef, ...]
    root: str
    load: bool = True
    modules: tuple[str, ...] = ()
    confinement: Confinement | None = None


class Run(msgspec.Struct, frozen=True, tag="run", array_like=True):
    """To a slot: run this attempt. `serial` names the run among those of the slot.

    `deadline` is ms since 1970; 0 for a run handed over ahead, which has `timeout` ms from its own beginning. `outputs`: new
    pipes for stdout and stderr come along.
    """

    execution: Execution
    max_attempts: int
    deadline: int
    outputs: bool = False
    serial: int = 0
    timeout: int = 0


class Cancel(msgspec.Struct, frozen=True, tag="cancel", array_like=True):
    """To a slot: the run `serial` must end. Comes at most once for each, and may come when it has just ended."""

    serial: int


class Progressed(msgspec.Struct, frozen=True, tag="progress", array_like=True):
    """From a slot: how far the run is."""

    progress: Progress


class Logged(msgspec.Struct, frozen=True, tag="log", array_like=True):
    """From a slot: lines of `ctx.log`."""

    lines: tuple[LogLine, ...]


class Done(msgspec.Struct, frozen=True, tag="done", array_like=True):
    """From a slot: the run is over. `outcome` None: it ended by the `Cancel`. `children` counts the processes it left behind.

    The slot then goes on with what it has been handed ahead, in order, now or as soon as there is some; not if it is `halted`:
    output of the run is unread or processes are left behind, and only a `Run` on its connection makes it go on.
    """

    outcome: Outcome | None
    children: int = 0
    halted: bool = False


class Fork(msgspec.Struct, frozen=True, tag="fork", array_like=True):
    """To the zygote: fork a slot known as `serial`; its frame socket, stdout and stderr come along as descriptors.

    `once`: it serves one run and ends. `ahead`: a fourth descriptor is the socket on which runs come ahead. `confinement`: what
    the slot is held to before it looks for its run.
    """

    serial: int
    once: bool
    ahead: bool = False
    confinement: Confinement | None = None


class Kill(msgspec.Struct, frozen=True, tag="kill", array_like=True):
    """To the zygote: end that slot and everything below it."""

    serial: int


class Ready(msgspec.Struct, frozen=True, tag="ready", array_like=True):
    """From the zygote: it can fork. `errors` tells by target id why a handler could not be loaded.

    `unsafe` says why forking would be dangerous, None when it is safe.
    """

    errors: dict[str, str]
    unsafe: str | None


class Started(msgspec.Struct, frozen=True, tag="started", array_like=True):
    """From the zygote: the slot lives, as this process."""

    serial: int
    pid: int


class Exited(msgspec.Struct, frozen=True, tag="exited", array_like=True):
    """From the zygote: the slot and all its descendants are gone. `error` says why it never started.

    `status` is an exit status or minus a signal's number; `max_rss` is bytes, `survivors` what could not be
    ended in time.
    """

    serial: int
    status: int
    max_rss: int = 0
    cpu_ms: int = 0
    survivors: int = 0
    error: str | None = None


ToSlot = Run | Cancel | Setup
FromSlot = Progressed | Logged | Done
ToZygote = Setup | Fork | Kill
FromZygote = Ready | Started | Exited
Message = ToSlot | FromSlot | ToZygote | FromZygote

TO_SLOT: Final = msgspec.msgpack.Decoder[ToSlot](ToSlot)
FROM_SLOT: Final = msgspec.msgpack.Decoder[FromSlot](FromSlot)
TO_ZYGOTE: Final = msgspec.msgpack.Decoder[ToZygote](ToZygote)
FROM_ZYGOTE: Final = msgspec.msgpack.Decoder[FromZygote](FromZygote)
_encode: Final = msgspec.msgpack.Encoder().encode


def frame(message: Message) -> bytes:
    """Encode a message with its length in front; raises `SlotError` when it is too large to travel."""
    return framed(_encode(message))
