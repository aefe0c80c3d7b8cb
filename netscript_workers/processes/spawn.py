"""The one place that starts programs. Runs in a keeper: a single-threaded process that does nothing else meanwhile.

A program is the head of a session and process group of its own, has the default for every signal, three descriptors and the
environment it was given, and nothing besides.
"""

import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, NoReturn, Protocol

from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.spawn_messages import Refused, Spawn

NOT_STARTED: Final = 127
# What Python or the keeper has changed.
_RESET: Final = tuple(
    getattr(signal, name)
    for name in ("SIGCHLD", "SIGINT", "SIGTERM", "SIGHUP", "SIGPIPE", "SIGXFSZ")
    if hasattr(signal, name)
)
_DEFAULT_PATH: Final = b"/usr/local/bin:/usr/bin:/bin"

Confine = Callable[[bytes], None]


class Ended(NamedTuple):
    """How a program ended (a wait status), its memory at most (bytes; 0: not known), the processor time it spent (ms)."""

    status: int
    max_rss: int
    cpu_ms: int


class Held(Protocol):
    """A confined program in rooms of its own, the first process of which is `pid`, a child of this process: all ends with it."""

    pid: int

    def fileno(self) -> int:
        """Return a descriptor that is readable when `attend` has something to do."""
        ...

    def attend(self) -> Ended | None:
        """Do for the program what waits to be done, without waiting; returns its end once nothing of it is left."""
        ...

    def close(self) -> None:
        """Let go of it. Idempotent."""
        ...


class Maker(Protocol):
    """Starts confined programs in rooms that were made ahead, by a child of this process; the rooms are further children."""

    def take(self, order: Spawn, fds: Sequence[int]) -> Held | None:
        """Start a confined program; None when this is no way to start it, or not now."""
        ...

    def ask(self, order: Spawn) -> None:
        """Have rooms made for a program that is to come, like the one of `order`, without waiting for them."""
        ...

    def owns(self, pid: int) -> bool:
        """Tell whether this child of this process belongs to the making, and not to a program."""
        ...

    def let_go(self, held: Held) -> None:
        """Take back what held a program that is over; its process may last a moment longer."""
        ...

    def has_ended(self, pid: int) -> None:
        """Take in that this child of this process has ended, and was reaped."""
        ...


class Confiner(NamedTuple):
    """How programs are confined: between fork and exec, and in rooms made ahead (None: there is no such way)."""

    confine: Confine
    maker: Callable[[Callable[[Refused], None]], Maker] | None = None


class NotStartedError(Exception):
    """A program could not be started; `refused` says why."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


def start(order: Spawn, fds: Sequence[int]) -> int:
    """Start an unconfined program with `fds` as its first descriptors and return its process id; raises `NotStartedError`.

    Changes the working directory of this process. Nothing of Python runs between fork and exec, so this costs what posix_spawn
    does, however much memory this process has.
    """
    try:
        os.chdir(order.cwd)
    except OSError as error:
        raise NotStartedError(refusal(order.serial, "cwd", error)) from None
    places = [(os.POSIX_SPAWN_DUP2, fd, place) for place, fd in enumerate(fds)]
    fault: OSError = FileNotFoundError(2, os.strerror(2), os.fsdecode(order.argv[0]))
    for path in _candidates(order.argv[0], order.env):
        try:
            return os.posix_spawn(
                path,
                order.argv,
                order.env,
                file_actions=places,
                setsid=True,
                setsigmask=(),
                setsigdef=_RESET,
            )
        except (FileNotFoundError, NotADirectoryError):
            continue
        except PermissionError as error:  # as a shell does: look on, and say this if there is nothing better
            fault = error
        except (OSError, ValueError) as error:
            raise NotStartedError(refusal(order.serial, "exec", error)) from None
    raise NotStartedError(refusal(order.serial, "exec", fault))


def start_confined(
    order: Spawn,
    fds: Sequence[int],
    confine: Confine,
    process: ProcessControl,
    tell: Callable[[Refused], None],
) -> int:
    """Start a program that `confine` is called for between fork and exec, in the new process; returns its process id.

    What prevents it after the fork is told by `tell`, in the new process, which ends then. Raises `NotStartedError`.
    """
    parent = os.getpid()
    try:
        pid = os.fork()
    except OSError as error:
        raise NotStartedError(refusal(order.serial, "fork", error)) from None
    if pid == 0:
        _become(order, fds, confine, process, tell, parent)
    return pid


def _become(
    order: Spawn,
    fds: Sequence[int],
    confine: Confine,
    process: ProcessControl,
    tell: Callable[[Refused], None],
    parent: int,
) -> NoReturn:
    """Be the program, and never return into the code of the keeper."""
    step = "fork"
    try:
        part_from(parent, process)
        for place, fd in enumerate(fds):
            os.dup2(fd, place)
        step = "cwd"
        os.chdir(order.cwd)
        step = "confinement"
        if order.confinement is not None:
            confine(order.confinement.rules)
        step = "exec"
        os.execvpe(order.argv[0], order.argv, order.env)  # noqa: S606 - a list of arguments, no shell
    except BaseException as error:  # noqa: BLE001 - whatever it is, it must be told and must not reach the keeper's code
        tell(refusal(order.serial, step, error))
    finally:
        os._exit(NOT_STARTED)


def part_from(parent: int, process: ProcessControl) -> None:
    """Begin a session of its own in a process just forked by a keeper, with the default for every signal."""
    stand_alone(process)
    if os.getppid() != parent:
        os._exit(NOT_STARTED)  # the keeper died before the kernel was told to tell us


def stand_alone(process: ProcessControl) -> None:
    """Begin a session of its own in a process just forked, with the default for every signal, for as long as its parent lives."""
    os.setsid()
    process.die_with_parent()
    signal.set_wakeup_fd(-1)
    for number in _RESET:
        signal.signal(number, signal.SIG_DFL)


def refusal(serial: int, step: str, error: BaseException) -> Refused:
    """Put what prevented a program into a message."""
    if isinstance(error, OSError):
        return Refused(serial, step, error.errno or 0, error.strerror or str(error))
    return Refused(serial, step, 0, f"{type(error).__name__}: {error}")


def _candidates(name: bytes, env: Mapping[bytes, bytes]) -> Iterator[bytes]:
    if b"/" in name:
        yield name
        return
    for folder in env.get(b"PATH", _DEFAULT_PATH).split(b":"):
        yield os.path.join(folder or b".", name)  # noqa: PTH118 - bytes, which need not be UTF-8
