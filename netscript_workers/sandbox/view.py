"""The run's own view of the files: what it is not given is not there."""

import ctypes
import os
import struct
from typing import Final

from netscript_workers.sandbox.kernel import Kernel
from netscript_workers.sandbox.rules import Bind, View

_NOSUID_NODEV: Final = 2 | 4
_NOEXEC: Final = 8
_BIND: Final = 0x1000
_RECURSIVE: Final = 0x4000
_PRIVATE: Final = 1 << 18
_MOVE: Final = 0x2000
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_ATTR_READ_ONLY: Final = 1
_ATTR_NOSUID: Final = 2
_ATTR_NODEV: Final = 4
_ATTR_NOEXEC: Final = 8
# Built here, in the room's own copy of the host's mounts; every Linux has the directory.
_SITE: Final = b"/tmp"
_DEVICES: Final = (b"null", b"zero", b"full", b"random", b"urandom")
_DEVICE_LINKS: Final = (
    (b"fd", b"/proc/self/fd"),
    (b"stdin", b"/proc/self/fd/0"),
    (b"stdout", b"/proc/self/fd/1"),
    (b"stderr", b"/proc/self/fd/2"),
)
# Files of /proc that reach beyond the room when the run's user is the machine's root.
_PROC_READ_ONLY: Final = (b"sys", b"sysrq-trigger", b"irq", b"bus", b"fs")
_SHM_BYTES: Final = 64 * 1024 * 1024


def enter(kernel: Kernel, view: View, cwd: bytes) -> None:
    """Make `view` the root of this process and go to `cwd` in it. Needs the capabilities of its room for files."""
    kernel.mount(None, b"/", None, _RECURSIVE | _PRIVATE)
    sources = {bind.path: _open(bind.path) for bind in view.binds}  # before anything covers them
    devices = {name: _open(b"/dev/" + name) for name in _DEVICES}
    try:
        _lay_ground(kernel, view)
        for bind in view.binds:
            _show(kernel, bind, sources[bind.path])
        for place, target in view.links:
            _link(place, target)
        for directory in (b"/dev", b"/proc", b"/tmp", *view.directories):
            _make_directories(_SITE + directory)
        if not view.whole_writable:
            _set(kernel, _SITE, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV, _AT_RECURSIVE)
        for bind in view.binds:
            _open_up(kernel, bind)
        _mount_own(kernel, view, devices)
    finally:
        for fd in (*sources.values(), *devices.values()):
            if fd is not None:
                os.close(fd)
    for path in view.hidden:
        _hide(kernel, path)
    _turn(kernel, cwd)


def _lay_ground(kernel: Kernel, view: View) -> None:
    if view.whole:
        kernel.mount(b"/", _SITE, None, _BIND | _RECURSIVE)
    else:
        kernel.mount(b"tmpfs", _SITE, b"tmpfs", _NOSUID_NODEV, b"mode=755,size=1m")


def _mount_own(kernel: Kernel, view: View, devices: dict[bytes, int | None]) -> None:
    """Mount what is the run's alone: /tmp, /dev, /proc. What was granted below them lies over it."""
    below = {
        name: _open(_SITE + name)
        for name in (bind.path for bind in view.binds if _is_below_own(bind.path, view))
    }
    if view.own_tmp:
        noexec = 0 if view.tmp_executable else _NOEXEC
        kernel.mount(
            b"tmpfs", _SITE + b"/tmp", b"tmpfs", _NOSUID_NODEV | noexec, b"mode=1777,size=%d" % view.own_tmp
        )
        for directory in view.directories:
            if directory.startswith(b"/tmp/"):
                _make_directories(_SITE + directory)
    _make_devices(kernel, devices)
    _mount_proc(kernel)
    for bind in view.binds:
        fd = below.get(bind.path)
        if fd is not None:
            _show(kernel, bind, fd)
            if not bind.writable:
                _set(kernel, _SITE + bind.path, _ATTR_READ_ONLY | _ATTR_NOSUID, _AT_RECURSIVE)
            _open_up(kernel, bind)
            os.close(fd)


def _is_below_own(path: bytes, view: View) -> bool:
    return path.startswith((b"/dev/", b"/proc/")) or (path.startswith(b"/tmp/") and view.own_tmp > 0)


def _make_devices(kernel: Kernel, devices: dict[bytes, int | None]) -> None:
    place = _SITE + b"/dev"
    kernel.mount(b"tmpfs", place, b"tmpfs", 2 | _NOEXEC, b"mode=755,size=%d" % _SHM_BYTES)
    for name, fd in devices.items():
        if fd is not None:
            target = place + b"/" + name
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            kernel.mount(_path_of(fd), target, None, _BIND)
    for name, target in _DEVICE_LINKS:
        os.symlink(target, place + b"/" + name)
    os.mkdir(place + b"/shm")
    os.chmod(place + b"/shm", 0o1777)  # noqa: S103 - the room's own, as every Linux has it


def _show(kernel: Kernel, bind: Bind, source: int | None) -> None:
    if source is None:
        return
    target = _SITE + bind.path
    if not os.path.exists(target):
        if os.path.isdir(_path_of(source)):
            _make_directories(target)
        else:
            _make_directories(os.path.dirname(target))
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    kernel.mount(_path_of(source), target, None, _BIND | _RECURSIVE)


def _open_up(kernel: Kernel, bind: Bind) -> None:
    """Make an exception from what holds for all of the view."""
    if not (bind.writable or bind.device):
        return
    target = _SITE + bind.path
    if not os.path.exists(target):
        return
    attributes = _ATTR_NOSUID | (0 if bind.device else _ATTR_NODEV) | (0 if bind.executable else _ATTR_NOEXEC)
    undone = (_ATTR_READ_ONLY if bind.writable else 0) | (_ATTR_NODEV if bind.device else 0)
    _set(kernel, target, attributes, _AT_RECURSIVE, undone)


def _link(place: bytes, target: bytes) -> None:
    here = _SITE + place
    if not os.path.lexists(here):
        _make_directories(os.path.dirname(here))
        os.symlink(target, here)


def _hide(kernel: Kernel, path: bytes) -> None:
    target = _SITE + path
    if os.path.isdir(target):
        kernel.mount(b"tmpfs", target, b"tmpfs", _NOSUID_NODEV | 1, b"mode=000,size=4k")
    elif os.path.exists(target):
        kernel.mount(_SITE + b"/dev/null", target, None, _BIND)
        _set(kernel, target, _ATTR_READ_ONLY | _ATTR_NODEV, 0)  # no device: it cannot even be opened


def _mount_proc(kernel: Kernel) -> None:
    """Show the processes of this room only. Where a container forbids that, there is no /proc, which reveals nothing."""
    place = _SITE + b"/proc"
    try:
        kernel.mount(b"proc", place, b"proc", _NOSUID_NODEV | _NOEXEC)
    except PermissionError:
        kernel.mount(b"tmpfs", place, b"tmpfs", _NOSUID_NODEV | _NOEXEC | 1, b"mode=555,size=4k")
        return
    if os.getuid() != 0:
        return
    for name in _PROC_READ_ONLY:
        target = place + b"/" + name
        if os.path.exists(target):
            kernel.mount(target, target, None, _BIND)
            _set(kernel, target, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV | _ATTR_NOEXEC, 0)


def _turn(kernel: Kernel, cwd: bytes) -> None:
    """Make the site the root, on top of the old one, which nothing leads to any more.

    Not pivot_root and an unmount, which waits for all processors; there is no way back from here either: that takes a
    descriptor from outside, or capabilities, and the run gets neither.
    """
    os.chdir(_SITE)
    kernel.mount(_SITE, b"/", None, _MOVE)
    kernel.call("chroot", b".")
    os.chdir(cwd)


def _set(kernel: Kernel, target: bytes, attributes: int, flags: int, undone: int = 0) -> None:
    request = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, undone, 0, 0), 32)
    kernel.call("mount_setattr", _AT_FDCWD, target, flags, request, 32)


def _open(path: bytes) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # not there, or out of this user's reach already


def _path_of(fd: int) -> bytes:
    return b"/proc/self/fd/%d" % fd


def _make_directories(path: bytes) -> None:
    if not os.path.isdir(path):
        os.makedirs(path, exist_ok=True)
