"""The watcher of an observed run: lets every call go on, and notes which files, programs and addresses it was about.

What it reads of a call may have changed by the time the kernel reads it: notes are for people, never a
reason to let anything through.
"""

import os
import socket
import struct
import time
from typing import Final

from netscript_workers.sandbox import bpf
from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.listening import Asked, answer, receive
from netscript_workers.sandbox.numbers import Machine
from netscript_workers.sandbox.observed import MOST_OBSERVED, Did, Observed, below, line_of
from netscript_workers.sandbox.watching import Watch

_AT_FDCWD: Final = -100
_PATH_ONLY: Final = 0o10000000  # O_PATH
_TEXT_BYTES: Final = 4096
_ADDRESS_BYTES: Final = 128
_V4_BYTES: Final = 8
_V6_BYTES: Final = 24

# Where the path stands among the arguments of a call: the index of its directory's descriptor (None: there is none), of the path.
_LOOKS: Final = {
    "access": (None, 0),
    "faccessat": (0, 1),
    "faccessat2": (0, 1),
    "lstat": (None, 0),
    "newfstatat": (0, 1),
    "readlink": (None, 0),
    "readlinkat": (0, 1),
    "stat": (None, 0),
    "statx": (0, 1),
}
_OPENS: Final = {"creat": (None, 0), "open": (None, 0), "openat": (0, 1), "openat2": (0, 1)}
_CHANGES: Final = {
    "chmod": (None, 0),
    "chown": (None, 0),
    "fchmodat": (0, 1),
    "fchmodat2": (0, 1),
    "fchownat": (0, 1),
    "lchown": (None, 0),
    "truncate": (None, 0),
    "utime": (None, 0),
    "utimensat": (0, 1),
    "utimes": (None, 0),
}
_MAKES: Final = {
    "link": ((None, 1),),
    "linkat": ((2, 3),),
    "mkdir": ((None, 0),),
    "mkdirat": ((0, 1),),
    "mknod": ((None, 0),),
    "mknodat": ((0, 1),),
    "rename": ((None, 0), (None, 1)),
    "renameat": ((0, 1), (2, 3)),
    "renameat2": ((0, 1), (2, 3)),
    "rmdir": ((None, 0),),
    "symlink": ((None, 1),),
    "symlinkat": ((1, 2),),
    "unlink": ((None, 0),),
    "unlinkat": ((0, 1),),
}
_STARTS: Final = {"execve": (None, 0), "execveat": (0, 1)}
_ADDRESSES: Final = {"bind": 1, "connect": 1, "sendto": 4}
_MESSAGES: Final = ("sendmsg", "sendmmsg")
_ALL: Final = (*_LOOKS, *_OPENS, *_CHANGES, *_MAKES, *_STARTS, *_ADDRESSES)
CHANNEL: Final = 250
"""The descriptor over which a process that is to be observed sends its listener; a program that reaches this number is rare."""


def watching_filter(machine: Machine) -> bytes:
    """Return a filter that asks its listener about all that is noted, and keeps from a run what would go past it."""
    program = bpf.Program()
    program.load(bpf.MACHINE_AT)
    program.unless_equal(machine.audit, bpf.ALLOW)  # a program of 32 bits goes on unseen
    program.load(bpf.NUMBER_AT)
    for name in ("io_uring_setup", "io_uring_enter", "io_uring_register"):
        number = machine.number(name)
        if number is not None:
            program.if_equal(number, bpf.errno(1))  # as it is when confined: files could be opened unseen
    for name in _ALL:
        number = machine.number(name)
        if number is not None:
            program.if_equal(number, bpf.NOTIFY)
    for name in _MESSAGES:
        number = machine.number(name)
        if number is not None:
            program.block(number, _unless_ours())
    program.verdict(bpf.ALLOW)
    return program.assembled()


def _unless_ours() -> bpf.Program:
    """Let through what is sent over `CHANNEL`: the listener itself comes that way, when nobody listens yet."""
    body = bpf.Program()
    body.load(bpf.argument_at(0))
    body.if_equal(CHANNEL, bpf.ALLOW)
    body.verdict(bpf.NOTIFY)
    return body


class ObservingWatch(Watch):
    """Notes in `file` what a run does, with everything that it starts."""

    def __init__(self, pid: int, channel: socket.socket, kernel: Kernel, file: bytes) -> None:
        super().__init__(pid, channel, kernel, goes_on=False, has_rooms=False)
        self._notes = os.open(file, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._names = {kernel.machine.number(name): name for name in (*_ALL, *_MESSAGES)}
        self._noted: set[tuple[Did, str]] = set()
        self._made: set[str] = set()

    def _answer(self, listener: int) -> None:
        asked = receive(listener)
        if asked is None:
            return
        try:
            self._look_at(asked, self._names.get(asked.number, ""))
        except (OSError, ValueError, struct.error):
            pass  # the process has gone meanwhile, or gave the kernel what it will refuse as well
        finally:
            answer(listener, asked.key, denied=False)

    def _look_at(self, asked: Asked, name: str) -> None:
        if not self._has_begun:
            self._has_begun = name in _STARTS  # the runtime itself; what came before was our own code
        elif name in _STARTS:
            self._start(_path(asked, _STARTS[name]))
        elif name in _OPENS:
            self._open(_path(asked, _OPENS[name]), _flags(asked, name))
        elif name in _LOOKS:
            self._look(_path(asked, _LOOKS[name]))
        elif name in _CHANGES:
            self._write(_path(asked, _CHANGES[name]))
        elif name in _MAKES:
            self._make_all([_path(asked, place) for place in _MAKES[name]], is_directory="mkdir" in name)
        else:
            self._reach(_address(asked, name))

    def _start(self, path: str) -> None:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            self._note(Did.RUN, path)

    def _open(self, path: str, flags: int) -> None:
        if flags & _PATH_ONLY:
            self._look(path)
        elif flags & (os.O_ACCMODE | os.O_CREAT | os.O_TRUNC):
            if os.path.lexists(path):
                self._write(path)
            elif flags & os.O_CREAT:
                self._make(path)
        elif os.path.isdir(path):
            self._note(Did.LIST, path)
        elif os.path.exists(path):
            self._note(Did.READ, path)

    def _look(self, path: str) -> None:
        if path and not os.path.isdir(path) and os.path.exists(path):
            self._note(Did.LOOK, path)

    def _write(self, path: str) -> None:
        if path and os.path.exists(path):
            self._note(Did.WRITE, path)

    def _make_all(self, paths: list[str], *, is_directory: bool) -> None:
        for path in paths:
            if not (is_directory and os.path.isdir(path)):  # which changes nothing
                self._make(path)

    def _make(self, path: str) -> None:
        """Note a change of the directory that `path` is in: something comes, goes or is renamed there."""
        folder = os.path.dirname(path)
        if not path or not os.path.isdir(folder):
            return
        self._note(Did.MAKE, folder)
        if not os.path.lexists(path) and len(self._made) < MOST_OBSERVED:
            self._made.add(path)

    def _reach(self, address: str) -> None:
        if address.startswith("/"):
            self._write(address)
        elif address:
            self._note(Did.NET, address)

    def _note(self, did: Did, what: str) -> None:
        if (did, what) in self._noted or len(self._noted) >= MOST_OBSERVED or self._is_its_own(what):
            return
        self._noted.add((did, what))
        os.write(self._notes, line_of(Observed(did, what, time.monotonic())))

    def _is_its_own(self, path: str) -> bool:
        """Whether the run has made `path` itself, or what it is in: it needs no more than what that took."""
        return any(below(path, made) for made in self._made)


def _path(asked: Asked, place: tuple[int | None, int]) -> str:
    """Return the absolute path that a call names; empty for one without a name."""
    folder, index = place
    address = asked.arguments[index]
    text = os.fsdecode(_memory(asked.pid, address, _TEXT_BYTES).split(b"\0", 1)[0]) if address else ""
    if not text:
        return ""
    base = ""
    if not text.startswith("/"):
        fd = _AT_FDCWD if folder is None else _signed(asked.arguments[folder])
        base = os.readlink(f"/proc/{asked.pid}/cwd" if fd == _AT_FDCWD else f"/proc/{asked.pid}/fd/{fd}")
    return os.path.normpath(os.path.join(base, text))


def _flags(asked: Asked, name: str) -> int:
    if name == "creat":
        return os.O_WRONLY | os.O_CREAT | os.O_TRUNC
    if name == "openat2":
        return int(struct.unpack("=Q", _memory(asked.pid, asked.arguments[2], 8))[0])
    return asked.arguments[1 if name == "open" else 2] & 0xFFFFFFFF


def _address(asked: Asked, name: str) -> str:
    """Return where a call leads: `address:port`, the path of a local socket, or nothing."""
    if name in _ADDRESSES:
        place = asked.arguments[_ADDRESSES[name]]
    else:
        place = struct.unpack("=Q", _memory(asked.pid, asked.arguments[1], 8))[0]  # msg_name comes first
    if not place:
        return ""
    data = _memory(asked.pid, place, _ADDRESS_BYTES)
    family = struct.unpack_from("=H", data)[0]
    if family == socket.AF_INET and len(data) >= _V4_BYTES:
        return f"{socket.inet_ntop(socket.AF_INET, data[4:8])}:{int.from_bytes(data[2:4], 'big')}"
    if family == socket.AF_INET6 and len(data) >= _V6_BYTES:
        return f"[{socket.inet_ntop(socket.AF_INET6, data[8:24])}]:{int.from_bytes(data[2:4], 'big')}"
    if family == socket.AF_UNIX and data[2:3] == b"/":
        return os.path.normpath(os.fsdecode(data[2:].split(b"\0", 1)[0]))
    return ""


def _memory(pid: int, address: int, size: int) -> bytes:
    """Read up to `size` bytes; less at the end of what is mapped."""
    with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        memory.seek(address)
        try:
            return memory.read(size) or b""
        except OSError:
            memory.seek(address)
            return memory.read(_TEXT_BYTES - address % _TEXT_BYTES) or b""


def _signed(word: int) -> int:
    word &= 0xFFFFFFFF
    return word - 2**32 if word >= 2**31 else word
