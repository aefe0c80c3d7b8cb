"""Landlock: the rights of files that the kernel checks for this process and everything it starts."""

import ctypes
import os
import stat
import struct
from collections.abc import Iterable
from typing import Final

from netscript_workers.sandbox.kernel import Kernel

EXECUTE: Final = 1 << 0
WRITE_FILE: Final = 1 << 1
READ_FILE: Final = 1 << 2
READ_DIR: Final = 1 << 3
_REMOVE_AND_MAKE: Final = sum(1 << bit for bit in range(4, 13))
_REFER: Final = 1 << 13  # since ABI 2
_TRUNCATE: Final = 1 << 14  # since ABI 3
_IOCTL_DEV: Final = 1 << 15  # since ABI 5
_OF_FILES: Final = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV
_TCP: Final = 0b11  # bind and connect, since ABI 4
_SCOPES: Final = 0b11  # abstract unix sockets and signals, since ABI 6
_PATH_BENEATH: Final = 1
_VERSION: Final = 1
# Moving a file between directories is only known since 2; before that it is denied, which is safe. Cutting a file is only
# known since 3: before that a file that may be read could be emptied.
TRUNCATES_SINCE: Final = 3
NETWORK_SINCE: Final = 4
SCOPES_SINCE: Final = 6

READ: Final = READ_FILE | READ_DIR


def write_rights(abi: int) -> int:
    """Return all that writing means at this ABI: contents, creation, removal, renames, truncation."""
    rights = WRITE_FILE | _REMOVE_AND_MAKE
    rights |= _REFER if abi >= 2 else 0  # noqa: PLR2004 - the ABI's own number, explained above
    rights |= _TRUNCATE if abi >= TRUNCATES_SINCE else 0
    return rights | (_IOCTL_DEV if abi >= 5 else 0)  # noqa: PLR2004 - as above


def handled_rights(abi: int) -> int:
    """Return every right of files that can be denied at this ABI."""
    return READ | EXECUTE | write_rights(abi)


def abi_version(kernel: Kernel) -> int:
    """Return the ABI of this kernel; 0 where there is no Landlock, or it is switched off."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _VERSION)
    except OSError:
        return 0


def restrict(kernel: Kernel, abi: int, rules: Iterable[tuple[bytes, int]], *, denies_tcp: bool) -> None:
    """Deny this process, for good, every handled right that `rules` (path and rights) do not give.

    Paths that do not exist give nothing. `no_new_privs` must be set. From ABI 6 on, processes and abstract sockets
    outside are out of reach of signals and connections.
    """
    attributes = struct.pack(
        "=QQQ",
        handled_rights(abi),
        _TCP if denies_tcp and abi >= NETWORK_SINCE else 0,
        _SCOPES if abi >= SCOPES_SINCE else 0,
    )
    size = 24 if abi >= SCOPES_SINCE else 16 if abi >= NETWORK_SINCE else 8
    ruleset = kernel.call("landlock_create_ruleset", ctypes.create_string_buffer(attributes, 24), size, 0)
    try:
        for path, rights in rules:
            _allow(kernel, ruleset, path, rights)
        kernel.call("landlock_restrict_self", ruleset, 0)
    finally:
        os.close(ruleset)


def _allow(kernel: Kernel, ruleset: int, path: bytes, rights: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return  # what is not there, or cannot be reached, needs no grant
    try:
        if not stat.S_ISDIR(os.fstat(fd).st_mode):
            rights &= _OF_FILES
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, fd), 12)
        kernel.call("landlock_add_rule", ruleset, _PATH_BENEATH, rule, 0)
    finally:
        os.close(fd)
