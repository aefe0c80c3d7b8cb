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
_AT_FDCWD: Final = -100
_AT_RECURSIVE: Final = 0x8000
_ATTR_READ_ONLY: Final = 1
_ATTR_NOSUID: Final = 2
_ATTR_NODEV: Final = 4
_ATTR_NOEXEC: Final = 8
# Built here, in the room's own copy of the host's mounts; every Linux has the directory.
_SITE: Final = b"/tmp"  # noqa: S108 - a place to mount on, nothing is written there
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
        _make_devices(kernel, devices)
        for bind in view.binds:
            _show(kernel, bind, sources[bind.path])
    finally:
        for fd in (*sources.values(), *devices.values()):
            if fd is not None:
                os.close(fd)
    for place, target in view.links:
        _link(place, target)
    for directory in view.directories:
        _make_directories(_SITE + directory)
    for path in view.hidden:
        _hide(kernel, path)
    _mount_proc(kernel)
    if not view.whole:
        _set(kernel, _SITE, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV, 0)
    _turn(kernel, cwd)


def _lay_ground(kernel: Kernel, view: View) -> None:
    if view.whole:
        kernel.mount(b"/", _SITE, None, _BIND | _RECURSIVE)
        _set(kernel, _SITE, _ATTR_NOSUID | (0 if view.whole_writable else _ATTR_READ_ONLY), _AT_RECURSIVE)
    else:
        kernel.mount(b"tmpfs", _SITE, b"tmpfs", _NOSUID_NODEV, b"mode=755,size=1m")
    if view.own_tmp:
        place = _SITE + b"/tmp"
        _make_directories(place)
        noexec = 0 if view.tmp_executable else _NOEXEC
        kernel.mount(b"tmpfs", place, b"tmpfs", _NOSUID_NODEV | noexec, b"mode=1777,size=%d" % view.own_tmp)


def _make_devices(kernel: Kernel, devices: dict[bytes, int | None]) -> None:
    place = _SITE + b"/dev"
    _make_directories(place)
    kernel.mount(b"tmpfs", place, b"tmpfs", 2 | _NOEXEC, b"mode=755,size=%d" % _SHM_BYTES)
    for name, fd in devices.items():
        if fd is not None:
            target = place + b"/" + name
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o666))
            kernel.mount(_path_of(fd), target, None, _BIND)
    for name, target in _DEVICE_LINKS:
        os.symlink(target, place + b"/" + name)
    os.mkdir(place + b"/shm")
    os.chmod(place + b"/shm", 0o1777)  # noqa: PTH101, S103 - the room's own, as every Linux has it


def _show(kernel: Kernel, bind: Bind, source: int | None) -> None:
    if source is None:
        return
    target = _SITE + bind.path
    if not os.path.exists(target):  # noqa: PTH110 - bytes, on the way of every run
        if os.path.isdir(_path_of(source)):  # noqa: PTH112 - as above
            _make_directories(target)
        else:
            _make_directories(os.path.dirname(target))  # noqa: PTH120 - as above
            os.close(os.open(target, os.O_CREAT | os.O_WRONLY | os.O_CLOEXEC, 0o644))
    kernel.mount(_path_of(source), target, None, _BIND | _RECURSIVE)
    attributes = _ATTR_NOSUID | (0 if bind.device else _ATTR_NODEV)
    attributes |= 0 if bind.writable else _ATTR_READ_ONLY
    attributes |= 0 if bind.executable else _ATTR_NOEXEC
    _set(kernel, target, attributes, _AT_RECURSIVE)


def _link(place: bytes, target: bytes) -> None:
    here = _SITE + place
    if not os.path.lexists(here):
        _make_directories(os.path.dirname(here))  # noqa: PTH120 - bytes
        os.symlink(target, here)


def _hide(kernel: Kernel, path: bytes) -> None:
    target = _SITE + path
    if os.path.isdir(target):  # noqa: PTH112 - bytes
        kernel.mount(b"tmpfs", target, b"tmpfs", _NOSUID_NODEV | 1, b"mode=000,size=4k")
    elif os.path.exists(target):  # noqa: PTH110 - bytes
        kernel.mount(_SITE + b"/dev/null", target, None, _BIND)
        _set(kernel, target, _ATTR_READ_ONLY | _ATTR_NODEV, 0)  # no device: it cannot even be opened


def _mount_proc(kernel: Kernel) -> None:
    """Show the processes of this room only. Where a container forbids that, there is no /proc, which reveals nothing."""
    place = _SITE + b"/proc"
    _make_directories(place)
    try:
        kernel.mount(b"proc", place, b"proc", _NOSUID_NODEV | _NOEXEC)
    except PermissionError:
        kernel.mount(b"tmpfs", place, b"tmpfs", _NOSUID_NODEV | _NOEXEC | 1, b"mode=555,size=4k")
        return
    if os.getuid() != 0:
        return
    for name in _PROC_READ_ONLY:
        target = place + b"/" + name
        if os.path.exists(target):  # noqa: PTH110 - bytes
            kernel.mount(target, target, None, _BIND)
            _set(kernel, target, _ATTR_READ_ONLY | _ATTR_NOSUID | _ATTR_NODEV | _ATTR_NOEXEC, 0)


def _turn(kernel: Kernel, cwd: bytes) -> None:
    """Make the site the root, and let go of the old one."""
    os.chdir(_SITE)
    kernel.call("pivot_root", b".", b".")
    kernel.detach(b".")
    os.chdir(b"/")
    os.chdir(cwd)


def _set(kernel: Kernel, target: bytes, attributes: int, flags: int) -> None:
    request = ctypes.create_string_buffer(struct.pack("=QQQQ", attributes, 0, 0, 0), 32)
    kernel.call("mount_setattr", _AT_FDCWD, target, flags, request, 32)


def _open(path: bytes) -> int | None:
    try:
        return os.open(path, os.O_PATH | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None  # not there, or out of this user's reach already


def _path_of(fd: int) -> bytes:
    return b"/proc/self/fd/%d" % fd


def _make_directories(path: bytes) -> None:
    if not os.path.isdir(path):  # noqa: PTH112 - bytes
        os.makedirs(path, exist_ok=True)  # noqa: PTH103 - bytes
