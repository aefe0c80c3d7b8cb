"""Carrying rules out in a process that was just forked: it stays behind to watch, and its grandchild goes on, confined.

Three processes with rooms: this one, which whoever forked it waits for; the init of the new process room, which answers what the
filter asks and ends everything with the program; and the program's own. Without rooms the first is the watcher itself.
The first mirrors how the program ended, so that it looks from outside as if it were the program.
"""

import os
import resource
import shutil
import signal
import socket
from collections.abc import Iterable
from typing import Final, NoReturn

from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.sandbox import landlock, namespaces, view
from netscript_workers.sandbox.environment import wipe_environment
from netscript_workers.sandbox.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, Kernel
from netscript_workers.sandbox.listening import install
from netscript_workers.sandbox.numbers import this_machine
from netscript_workers.sandbox.rules import Rules, decoded
from netscript_workers.sandbox.watching import Watch

PROXY_PORT: Final = 3128
_GROUP_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_PROXY_SECONDS: Final = 10
_NOT_STARTED: Final = 127
_STATUS_BYTES: Final = 4
_LAST_DESCRIPTOR: Final = 2**31 - 1
_CLOSE_ON_EXEC: Final = 4


def apply(rules: bytes) -> None:
    """Confine what this process, single-threaded and just forked, is about to become.

    Returns in the confined process only, which is then to execute a program or to run what it likes. Raises `OSError`, in
    whichever process it happens, when a step is refused; nothing has been started then.
    """
    confine(decoded(rules))


def confine(rules: Rules) -> None:
    """Do what `apply` does, with rules in hand."""
    machine = this_machine()
    if machine is None:
        raise OSError(38, "the sandbox needs Linux on x86_64 or aarch64")
    kernel = Kernel(machine)
    cwd = os.getcwdb()
    telling = None
    if rules.rooms:
        telling = _enter_rooms(kernel, rules, cwd)
    elif rules.private_tmp:
        os.mkdir(rules.private_tmp, 0o700)
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    listener = install(kernel, rules.filter) if rules.filter else None
    started, starting = os.pipe()  # closed by the program's start
    pid = os.fork()
    if pid == 0:
        for fd in (started, listener, telling):
            if fd is not None:
                os.close(fd)
        _become_confined(kernel, rules)
        return
    _keep_only(fd for fd in (listener, started, telling) if fd is not None)
    _watch(kernel, rules, Watch(pid, listener, started, inside=bool(rules.rooms)), telling)


def _enter_rooms(kernel: Kernel, rules: Rules, cwd: bytes) -> int:
    """Return in the init of the new rooms, with the pipe for the program's end; the calling process mirrors that end."""
    namespaces.open_rooms(kernel, rules.rooms)
    ProcessControl().die_with_parent()  # the kernel may have forgotten it with the change of user
    connection = _offer_to_proxy(rules) if rules.proxy else None
    reading, writing = os.pipe()
    pid = os.fork()
    if pid != 0:
        _keep_only([reading] if connection is None else [reading, connection.fileno()])
        _mirror(pid, reading)
    os.close(reading)
    ProcessControl().die_with_parent()
    if connection is not None:
        connection.close()  # the first process holds it for as long as the run lasts
    if rules.view is not None:
        view.enter(kernel, rules.view, cwd)
    return writing


def _offer_to_proxy(rules: Rules) -> socket.socket:
    """Listen on the room's loopback, and hand that socket to the daemon's proxy, which serves it from outside."""
    namespaces.raise_loopback()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listening:
        listening.bind(("127.0.0.1", PROXY_PORT))
        listening.listen(128)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(_PROXY_SECONDS)
        connection.connect(rules.proxy)
        socket.send_fds(connection, [rules.token], [listening.fileno()])
        if connection.recv(1) != b"+":
            raise OSError(111, "the daemon's proxy does not know this run")
    return connection


def _become_confined(kernel: Kernel, rules: Rules) -> None:
    namespaces.forgo_privileges(kernel)
    ProcessControl().die_with_parent()
    if rules.landlock:
        own = [(b"/proc/self", landlock.READ)] if not rules.rooms else []
        landlock.restrict(kernel, rules.landlock, [*rules.files, *own], denies_tcp=rules.denies_tcp)
    if rules.environment is None:
        kernel.call("close_range", 3, _LAST_DESCRIPTOR, _CLOSE_ON_EXEC)
    else:
        wipe_environment(frozenset(rules.environment))
    for number, value in rules.limits:
        _, hard = resource.getrlimit(number)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (least, least))


def _watch(kernel: Kernel, rules: Rules, watch: Watch, telling: int | None) -> NoReturn:
    """Answer and wait until the program has ended, and end as it did."""
    status = _NOT_STARTED << 8
    try:
        _stand_aside()
        if telling is not None:
            namespaces.forgo_privileges(kernel)
            ProcessControl().die_with_parent()
            kernel.prctl(PR_SET_DUMPABLE, 0)
        status = watch.until_ended(kernel)
    except BaseException as error:  # noqa: BLE001 - it must be seen, and must not reach the code of whoever forked this
        os.write(2, f"netscript-workers: the watcher of a confined run failed: {error!r}\n".encode())
    finally:
        if telling is not None:
            os.write(telling, status.to_bytes(_STATUS_BYTES, "little"))
            os._exit(0)
        if rules.private_tmp:
            shutil.rmtree(rules.private_tmp, ignore_errors=True)
        _end_like(status)


def _mirror(pid: int, reading: int) -> NoReturn:
    """Wait for the init of the rooms and end as the program in them did."""
    status = _NOT_STARTED << 8
    try:
        _stand_aside()
        told = os.read(reading, _STATUS_BYTES)
        _, own = os.waitpid(pid, 0)
        status = int.from_bytes(told, "little") if len(told) == _STATUS_BYTES else own
    finally:
        _end_like(status)


def _stand_aside() -> None:
    """Leave signals to the program, which shares this process group, and its outputs too.

    Standard error stays, for what is denied; a reader sees the end of it with the end of the run.
    """
    for number in _GROUP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    null = os.open("/dev/null", os.O_RDWR | os.O_CLOEXEC)
    os.dup2(null, 0)
    os.dup2(null, 1)
    os.close(null)


def _keep_only(fds: Iterable[int]) -> None:
    """Close every descriptor but these and the standard ones: they belong to whoever forked this process."""
    after = 3
    for fd in sorted(fds):
        os.closerange(after, fd)
        after = fd + 1
    os.closerange(after, _LAST_DESCRIPTOR)


def _end_like(status: int) -> NoReturn:
    """End with the same exit status or by the same signal, leaving no core of this process."""
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        if -code != signal.SIGKILL:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code & 0xFF)
