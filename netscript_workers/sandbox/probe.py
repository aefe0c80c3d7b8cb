"""What this host can enforce, found out by trying it in a process of its own: `python -m netscript_workers.sandbox.probe`."""

import os
import platform
import select
import sys
from collections.abc import Callable
from typing import Final, NoReturn

import msgspec

from netscript_workers.processes.tree import end_families
from netscript_workers.sandbox import landlock, namespaces, view
from netscript_workers.sandbox.host import Host
from netscript_workers.sandbox.kernel import PR_SET_NO_NEW_PRIVS, Kernel
from netscript_workers.sandbox.listening import install
from netscript_workers.sandbox.numbers import Machine, this_machine
from netscript_workers.sandbox.rules import View
from netscript_workers.sandbox.seccomp import Calls, compiled

_ROOMS: Final = namespaces.NEW_FILES | namespaces.NEW_IPC | namespaces.NEW_PIDS | namespaces.NEW_NETWORK
_MAX_TEXT: Final = 4096
_SECONDS: Final = 10.0


class _ToldError(Exception):
    """A child of the attempt has failed, and told why."""


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
    is_root = os.getuid() == 0
    missing = _tried(lambda fd: _try_rooms(kernel, namespaces.NEW_USER | _ROOMS, fd))
    user_rooms = not missing
    if missing and is_root:
        missing = _tried(lambda fd: _try_rooms(kernel, _ROOMS, fd)) and missing
    return Host(
        kernel=platform.release(),
        machine=machine.name,
        landlock=landlock.abi_version(kernel),
        is_root=is_root,
        rooms_missing=missing,
        filter_missing=_tried(lambda _: _try_filter(kernel, machine)),
        user_rooms=user_rooms,
    )


def _try_rooms(kernel: Kernel, rooms: int, fd: int) -> None:
    namespaces.open_rooms(kernel, rooms)
    namespaces.raise_loopback()
    pid = os.fork()
    if pid == 0:
        _end_with(lambda _: view.enter(kernel, View(own_tmp=4096), b"/"), fd)
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise _ToldError


def _try_filter(kernel: Kernel, machine: Machine) -> None:
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    os.close(install(kernel, compiled(Calls(may_exec=False), machine)))


def _tried(attempt: Callable[[int], None]) -> str:
    """Run `attempt` in a child, with where it may tell why it failed; returns that, or nothing."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _end_with(attempt, writing)
    os.close(writing)
    in_time, _, _ = select.select([reading], [], [], _SECONDS)
    if not in_time:
        end_families([pid])
    text = os.read(reading, _MAX_TEXT).decode("utf-8", "replace") if in_time else "the kernel did not answer"
    os.close(reading)
    _, status = os.waitpid(pid, 0)
    return "" if status == 0 else text or f"ended with status {status}"


def _end_with(attempt: Callable[[int], None], fd: int) -> NoReturn:
    status = 1
    try:
        attempt(fd)
        status = 0
    except _ToldError:
        pass
    except BaseException as error:  # noqa: BLE001 - whatever it is, it is the answer
        os.write(fd, str(error.strerror if isinstance(error, OSError) and error.strerror else error).encode())
    finally:
        os._exit(status)


def main() -> None:
    """Print the facts as JSON."""
    sys.stdout.buffer.write(msgspec.json.encode(probe()))


if __name__ == "__main__":
    main()
