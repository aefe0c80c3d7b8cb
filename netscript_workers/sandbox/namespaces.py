"""Rooms of a run's own: namespaces for users, files, processes, network and shared memory; and the end of all capabilities."""

import contextlib
import ctypes
import fcntl
import os
import socket
import struct
from typing import Final

from netscript_workers.sandbox.kernel import (
    PR_CAP_AMBIENT,
    PR_SET_NO_NEW_PRIVS,
    PR_SET_SECUREBITS,
    Kernel,
)

NEW_FILES: Final = 0x00020000
NEW_IPC: Final = 0x08000000
NEW_USER: Final = 0x10000000
NEW_PIDS: Final = 0x20000000
NEW_NETWORK: Final = 0x40000000

Identity = tuple[int, int]

_CAPABILITY_VERSION: Final = 0x20080522
_SECURE_BITS: Final = (
    0xEF  # root is nobody special, capabilities are never kept nor raised, and all of that is locked
)
_CLEAR_ALL: Final = 4
_UP: Final = 0x1
_SIOCGIFFLAGS: Final = 0x8913
_SIOCSIFFLAGS: Final = 0x8914


def open_rooms(kernel: Kernel, rooms: int) -> None:
    """Part this process from the host; with NEW_USER it keeps its user and group there, and nobody else's.

    The process room holds children only, the first of which is its init.
    """
    own = identity()
    kernel.call("unshare", rooms)
    settle(rooms, own)


def identity() -> Identity:
    """Return the user and the group of this process, which is outside of the rooms."""
    return os.getuid(), os.getgid()


def settle(rooms: int, own: Identity) -> None:
    """Keep the user and group that this process was outside, in rooms made with NEW_USER."""
    if rooms & NEW_USER:
        user, group = own
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")


def raise_loopback() -> None:
    """Switch the loopback interface of this process's network room on. Needs the room's capabilities."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
        request = struct.pack("16sH22x", b"lo", 0)
        _, flags = struct.unpack("16sH22x", fcntl.ioctl(probe, _SIOCGIFFLAGS, request))
        fcntl.ioctl(probe, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", flags | _UP))


def forgo_privileges(kernel: Kernel) -> None:
    """Give up every capability for good, and every way to one: setuid programs, root's own, file capabilities."""
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    with contextlib.suppress(PermissionError):  # a process without capabilities has none to keep either
        kernel.prctl(PR_SET_SECUREBITS, _SECURE_BITS)
    kernel.prctl(PR_CAP_AMBIENT, _CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0), 8)
    kernel.call("capset", header, ctypes.create_string_buffer(24))


def _write(path: str, text: str) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, text.encode())
    finally:
        os.close(fd)
