"""The listener of a filter: hears of each call that the filter will not judge alone, and answers it."""

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from typing import Final

import msgspec

from netscript_workers.sandbox.kernel import Kernel

_SET_MODE_FILTER: Final = 1
_NEW_LISTENER: Final = 1 << 3
_RECEIVE: Final = 0xC0502100
_SEND: Final = 0xC0182101
_SET_FLAGS: Final = 0x40082104
_SYNC_WAKE_UP: Final = 1
_NOTICE_BYTES: Final = 80
_CONTINUE: Final = 1


class Asked(msgspec.Struct, frozen=True):
    """One call that waits for its answer: `key`, the process as this one sees it, the call's number and its six arguments."""

    key: int
    pid: int
    number: int
    arguments: tuple[int, ...]


def install(kernel: Kernel, program: bytes) -> int:
    """Hold this process, and all it forks, to `program` from now on. Returns the listener, closed on exec."""
    instructions = ctypes.create_string_buffer(program, len(program))
    head = struct.pack("=H6xQ", len(program) // 8, ctypes.addressof(instructions))
    listener = kernel.call("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, ctypes.create_string_buffer(head, 16))
    os.set_inheritable(listener, False)  # noqa: FBT003 - the standard library's own signature
    # Since Linux 6.6: who asks and who answers take turns, and need no second processor.
    with contextlib.suppress(OSError):
        fcntl.ioctl(listener, _SET_FLAGS, _SYNC_WAKE_UP)
    return listener


def receive(listener: int) -> Asked | None:
    """Take the next call; None when its process has gone meanwhile."""
    notice = bytearray(_NOTICE_BYTES)
    try:
        fcntl.ioctl(listener, _RECEIVE, notice)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.EINTR}:
            return None
        raise
    key, pid, _, number, _, _, *arguments = struct.unpack("=QIIiIQ6Q", notice)
    return Asked(key, pid, number, tuple(arguments))


def answer(listener: int, key: int, *, denied: bool) -> None:
    """Let the call go on, or have it fail with EACCES."""
    error, flags = (-errno.EACCES, 0) if denied else (0, _CONTINUE)
    try:
        fcntl.ioctl(listener, _SEND, bytearray(struct.pack("=QqiI", key, 0, error, flags)))
    except OSError as fault:
        if fault.errno != errno.ENOENT:  # gone before it was answered
            raise
