"""What this host can enforce, found out by trying it in a process of its own: `python -m netscript_workers.sandbox.probe`."""

import os
import platform
import select
import sys
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

import msgspec

from netscript_workers.processes.tree import end_families
from netscript_workers.sandbox import landlock, namespaces, view
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.kernel import PR_SET_NO_NEW_PRIVS, Kernel
from netscript_workers.sandbox.listening import install
from netscript_workers.sandbox.numbers import this_machine
from netscript_workers.sandbox.rules import View
from netscript_workers.sandbox.seccomp import Calls, compiled

_ROOMS: Final = namespaces.NEW_FILES | namespaces.NEW_IPC | namespaces.NEW_PIDS | namespaces.NEW_NETWORK
_MAX_TEXT: Final = 4096
_SECONDS: Final = 10.0


def probe() -> Host:
    """Try everything, each in a child, and say what works. Forks: for a process without threads only."""
    machine = this_machine()
    if machine is None:
        why = f"the sandbox needs Linux on x86_64 or aarch64, and this is {platform.system()} on {platform.machine()}"
        return Host(
            kernel=platform.release(),
            machine="",
            landlock=0,
            is_root=False,
            rooms_missing=why,
            filter_missing=why,
        )
    kernel = Kernel(machine)
    is_root, user_rooms = os.getuid() == 0, True
    rooms_missing = filter_missing = ""
    # All at once, which mostly works: a fork is what takes time here.
    if _tried(kernel, namespaces.NEW_USER | _ROOMS, _try_rooms, _try_filter):
        filter_missing = _tried(kernel, 0, _try_filter)
        rooms_missing = _tried(kernel, namespaces.NEW_USER | _ROOMS, _try_rooms)
        user_rooms = not rooms_missing
        if rooms_missing and is_root:
            rooms_missing = _tried(kernel, _ROOMS, _try_rooms) and rooms_missing
    return Host(
        kernel=platform.release(),
        machine=machine.name,
        landlock=landlock.abi_version(kernel),
        is_root=is_root,
        rooms_missing=rooms_missing,
        filter_missing=filter_missing,
        user_rooms=user_rooms,
    )


def _try_rooms(kernel: Kernel) -> None:
    namespaces.raise_loopback()
    view.enter(kernel, View(own_tmp=4096), b"/")


def _try_filter(kernel: Kernel) -> None:
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    os.close(install(kernel, compiled(Calls(may_exec=False), kernel.machine)))


def _tried(kernel: Kernel, rooms: int, *attempts: Callable[[Kernel], None]) -> str:
    """Make `attempts` in a child, in new `rooms` of that kind; returns why one failed, or nothing."""
    own = namespaces.identity()
    reading, writing = os.pipe()
    try:
        pid = kernel.fork(rooms)
    except OSError as error:
        os.close(reading)
        os.close(writing)
        return error.strerror or str(error)
    if pid == 0:
        os.close(reading)
        _attempt(kernel, rooms, own, attempts, writing)
    os.close(writing)
    in_time, _, _ = select.select([reading], [], [], _SECONDS)
    if not in_time:
        end_families([pid])
    text = os.read(reading, _MAX_TEXT).decode("utf-8", "replace") if in_time else "the kernel did not answer"
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    return "" if status == 0 else text or f"ended with status {status}"


def _attempt(
    kernel: Kernel,
    rooms: int,
    own: namespaces.Identity,
    attempts: Iterable[Callable[[Kernel], None]],
    fd: int,
) -> NoReturn:
    status = 1
    try:
        namespaces.settle(rooms, own)
        for attempt in attempts:
            attempt(kernel)
        status = 0
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        os.write(fd, str(error.strerror if isinstance(error, OSError) and error.strerror else error).encode())
    finally:
        os._exit(status)


def main() -> None:
    """Print the facts as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(probe()))


if __name__ == "__main__":
    main()
