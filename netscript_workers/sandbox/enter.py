"""Carrying rules out in a process that was just forked: it stays outside and watches; what it starts inside goes on, confined.

Three processes: the watcher, which whoever forked it waits for, and which ends as the program did; the init of the new rooms,
with whose end everything in them ends; and the program. Without rooms there is no init, and the watcher ends what is left.
"""

import contextlib
import functools
import os
import resource
import signal
import socket
from collections.abc import Callable, Iterable
from typing import Final, NoReturn

from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.sandbox import landlock, namespaces, view
from netscript_workers.sandbox.environment import wipe_environment
from netscript_workers.sandbox.kernel import PR_SET_DUMPABLE, PR_SET_NO_NEW_PRIVS, Kernel
from netscript_workers.sandbox.listening import install
from netscript_workers.sandbox.numbers import this_machine
from netscript_workers.sandbox.rules import Program, Rules, decoded
from netscript_workers.sandbox.watching import Watch, stand_aside, tell_end

PROXY_PORT: Final = 3128
_PROXY_SECONDS: Final = 10
_LAST_DESCRIPTOR: Final = 2**31 - 1
_CLOSE_ON_EXEC: Final = 4
_MEMORY: Final = frozenset({resource.RLIMIT_AS, resource.RLIMIT_DATA})


def apply(rules: bytes) -> None:
    """Confine what this process, single-threaded and just forked, is about to become.

    Rules that carry the words of a program have it started here, and this never returns. Otherwise it returns in the confined
    process only. Raises `OSError`, in whichever process it happens, when a step is refused; nothing has been started then.
    """
    confine(decoded(rules))


def prepare() -> None:
    """Look up once, before the first fork, what every confined process needs."""
    if this_machine() is not None:
        this_kernel()
        this_process()


@functools.cache
def this_process() -> ProcessControl:
    """Return the control of this process, looked up once."""
    return ProcessControl()


@functools.cache
def this_kernel() -> Kernel:
    """Return the system calls of this process, looked up once; raises `OSError` on a system that is not known."""
    machine = this_machine()
    if machine is None:
        raise OSError(38, "the sandbox needs Linux on x86_64 or aarch64")
    return Kernel(machine)


def confine(rules: Rules) -> None:
    """Do what `apply` does, with rules in hand."""
    if rules.limits_only:
        _join(rules.group)
        _set_limits(rules.limits)
        return
    kernel = this_kernel()
    process = this_process()
    cwd = os.getcwdb()
    connection = None
    if rules.rooms:
        namespaces.open_rooms(kernel, rules.rooms)
        process.die_with_parent()  # the kernel may have forgotten it with the change of user
        if rules.proxy:
            with listen_inside() as listening:
                connection = offer_to_proxy(rules.proxy, rules.token, listening.fileno())
    else:
        process.adopt_orphans()  # there is no process room whose end would end them
        if rules.private_tmp:
            os.mkdir(rules.private_tmp, 0o700)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    pid = os.fork()
    if pid != 0:
        theirs.close()
        keep_only(each.fileno() for each in (ours, connection) if each is not None)
        _watch(pid, ours, kernel, rules)
    ours.close()
    process.die_with_parent()
    if connection is not None:
        connection.close()  # the watcher holds it for as long as the run lasts
    if rules.record:
        from netscript_workers.sandbox.observing import CHANNEL

        os.dup2(theirs.fileno(), CHANNEL, inheritable=False)
        theirs = socket.socket(fileno=CHANNEL)
    go_on(kernel, process, rules, theirs, cwd)


def _watch(pid: int, channel: socket.socket, kernel: Kernel, rules: Rules) -> NoReturn:
    if rules.record:
        from netscript_workers.sandbox.observing import ObservingWatch  # for the rare run that is observed

        ObservingWatch(pid, channel, kernel, rules.record).serve()
    goes_on = rules.environment is not None
    Watch(pid, channel, kernel, goes_on=goes_on, has_rooms=bool(rules.rooms), spool=rules.private_tmp).serve()


def listen_inside() -> socket.socket:
    """Return a socket that listens on the room's loopback, called within it: the run's way out, for the daemon's proxy."""
    namespaces.raise_loopback()
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listening.bind(("127.0.0.1", PROXY_PORT))
    listening.listen(128)
    return listening


def offer_to_proxy(proxy: bytes, token: bytes, listening: int) -> socket.socket:
    """Hand that socket to the daemon's proxy, which serves it from outside for as long as the connection returned is open."""
    with contextlib.ExitStack() as undo:
        connection = undo.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        connection.settimeout(_PROXY_SECONDS)
        connection.connect(proxy)
        socket.send_fds(connection, [token], [listening])
        if connection.recv(1) != b"+":
            raise OSError(111, "the daemon's proxy does not know this run")
        undo.pop_all()
    return connection


def go_on(
    kernel: Kernel,
    process: ProcessControl,
    rules: Rules,
    channel: socket.socket,
    cwd: bytes,
    program_of: Callable[[], Program] | None = None,
) -> None:
    """Start the program in the rooms, or return as what is to run in them; without rooms this process itself is that.

    Called in the first process of the rooms; `channel` leads to its watcher. `program_of` is asked for the program once
    everything else is done, and sets its descriptors; without it, that is the one in `rules`.
    """
    program_of = program_of or rules.program
    _join(rules.group)  # while its files are in sight
    if rules.view is not None:
        view.enter(kernel, rules.view, cwd)
    if not rules.rooms:
        _restrict(kernel, process, rules, channel)
        _set_limits(rules.limits)
        channel.close()
        if rules.has_program:
            _execute(program_of())
        return
    # A copy of this process costs a millisecond, so it is spared where nothing has to be set that would bind this one too.
    if rules.has_program and not any(number in _MEMORY for number, _ in rules.limits):
        _restrict(kernel, process, rules, channel)
        kernel.prctl(PR_SET_DUMPABLE, 0)
        program = program_of()
        _set_limits(rules.limits)
        pid = os.posix_spawn(program.argv[0], program.argv, program.env)
        _be_init(pid, channel)
    kernel.prctl(PR_SET_NO_NEW_PRIVS, 1)
    pid = os.fork()
    if pid != 0:
        namespaces.forgo_privileges(kernel)
        kernel.prctl(PR_SET_DUMPABLE, 0)
        _be_init(pid, channel)
    process.die_with_parent()
    _restrict(kernel, process, rules, channel)
    program = program_of() if rules.has_program else None
    channel.close()
    _set_limits(rules.limits)
    if program is not None:
        _execute(program)


def _execute(program: Program) -> NoReturn:
    os.execve(program.argv[0], program.argv, program.env)  # noqa: S606 - a list of arguments, no shell


def _restrict(kernel: Kernel, process: ProcessControl, rules: Rules, channel: socket.socket) -> None:
    namespaces.forgo_privileges(kernel)
    process.die_with_parent()
    if rules.landlock:
        own = [(b"/proc/self", landlock.READ)] if not rules.rooms else []
        landlock.restrict(kernel, rules.landlock, [*rules.files, *own], denies_tcp=rules.denies_tcp)
    if rules.environment is None:
        kernel.call("close_range", 3, _LAST_DESCRIPTOR, _CLOSE_ON_EXEC)
    else:
        wipe_environment(frozenset(rules.environment), rules.env)
    if rules.filter:
        listener = install(kernel, rules.filter)
        socket.send_fds(channel, [b"f"], [listener])
        os.close(listener)


def _join(group: bytes) -> None:
    if group:
        fd = os.open(group, os.O_WRONLY | os.O_CLOEXEC)
        os.write(fd, b"0")
        os.close(fd)


def _set_limits(limits: Iterable[tuple[int, int]]) -> None:
    for number, value in limits:
        _, hard = resource.getrlimit(number)
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(number, (least, least))


def _be_init(pid: int, channel: socket.socket) -> NoReturn:
    """Reap whatever ends in the rooms until the program has; then end what is left in them, tell that, and end."""
    try:
        stand_aside(keeps_errors=False)
        ended, status = os.wait()
        while ended != pid:
            ended, status = os.wait()
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(-1, signal.SIGKILL)  # all that this process can see, but itself
            while True:
                os.wait()
        tell_end(channel, status)
    finally:
        os._exit(0)


def keep_only(fds: Iterable[int]) -> None:
    """Close every descriptor but these and the standard ones: they belong to whoever forked this process."""
    after = 3
    for fd in sorted(fds):
        os.closerange(after, fd)
        after = fd + 1
    with contextlib.suppress(OSError):
        os.closerange(after, _LAST_DESCRIPTOR)
