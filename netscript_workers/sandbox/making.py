"""Making rooms ahead: while one confined program works, the rooms of the next one are made, by a process of its own.

So the keeper, which has a program to answer and to wait for, never forks: what is made is its child all the same.
"""

import contextlib
import os
import socket
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from netscript_workers.processes.spawn import NOT_STARTED, Held, stand_alone
from netscript_workers.processes.spawn_messages import Refused, Spawn
from netscript_workers.sandbox import enter, namespaces
from netscript_workers.sandbox.ahead import Rooms, stand_by
from netscript_workers.sandbox.attending import MAX_BYTES
from netscript_workers.sandbox.ground import Ground, Mark, marks_of, paths_of, watch_mounts
from netscript_workers.sandbox.rules import Rules, decoded, lasting

_MADE_SECONDS: Final = 5.0
_CHILD_OF_KEEPER: Final = 0x00008000  # CLONE_PARENT


class _Wish(msgspec.Struct, frozen=True, array_like=True):
    cwd: bytes
    rules: bytes


class _Made(msgspec.Struct, frozen=True, array_like=True):
    """The init of new rooms, and what their paths led to before they were made; 0 when they could not be."""

    pid: int
    marks: list[Mark]


_encode: Final = msgspec.msgpack.Encoder().encode
_wish: Final = msgspec.msgpack.Decoder(_Wish).decode
_made: Final = msgspec.msgpack.Decoder(_Made).decode


class Maker:
    """Has rooms made for the keeper that this is made in (see `processes/spawn.py`). `tell` takes refusals."""

    def __init__(self, tell: Callable[[Refused], None]) -> None:
        self._tell = tell
        self._pid = 0
        self._connection: socket.socket | None = None
        self._asked: tuple[Rules, bytes, socket.socket] | None = None  # what is being made
        self._rooms: Rooms | None = None
        self._last: tuple[Rules, bytes] | None = None  # what the last program needed
        self._is_likely = True
        self._ended: set[int] = set()  # children of the keeper that ended while something was being made
        self._unused: set[int] = set()  # inits on their way out

    def take(self, order: Spawn, fds: Sequence[int]) -> Rooms | None:
        """Start a confined program in rooms of its own; None when it needs none, or they cannot be had."""
        if order.confinement is None:
            return None
        rules = decoded(order.confinement.rules)
        if not rules.rooms or not rules.has_program:
            return None
        needed = lasting(rules), order.cwd
        # The control group of a run is nobody else's: nothing may wait in it for another one.
        self._is_likely = not rules.group and (self._last is None or needed == self._last)
        self._last = needed
        for _ in range(2):  # the ones that are there, or others that are made for this very order
            self._make(order)
            self._receive()
            rooms, self._rooms = self._rooms, None
            if rooms is None:
                continue
            if rooms.take(order, rules, fds):
                return rooms
            self._unused.add(rooms.pid)
            rooms.close()
        return None

    def ask(self, order: Spawn) -> None:
        """Have rooms made like those of `order`, where the next program is likely to need the same."""
        if self._is_likely:
            self._make(order)

    def _make(self, order: Spawn) -> None:
        """Have rooms made like those of `order`, unless there are some, or some are being made."""
        if order.confinement is None or self._asked is not None or self._rooms is not None:
            return
        rules = lasting(decoded(order.confinement.rules))
        data = _encode(_Wish(order.cwd, order.confinement.rules))
        if not rules.rooms or not rules.has_program or len(data) > MAX_BYTES:
            return
        with contextlib.ExitStack() as undo:
            try:
                if self._connection is None:
                    self._pid, self._connection = _start()
                ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                undo.callback(ours.close)
                with theirs:
                    socket.send_fds(self._connection, [data], [theirs.fileno()])
            except OSError:
                self._lose()  # so there are none now; whoever needs some tries once more, then says why
            else:
                undo.pop_all()
                self._asked = (rules, order.cwd, ours)

    def owns(self, pid: int) -> bool:
        """Tell whether this child of the keeper is no program's; waits for what is being made."""
        self._receive()
        return pid in {self._pid, self._rooms.pid if self._rooms is not None else 0} or pid in self._unused

    def let_go(self, held: Held) -> None:
        """Take back rooms whose program is over and told of; their init is about to end."""
        self._unused.add(held.pid)
        held.close()

    def has_ended(self, pid: int) -> None:
        """Take in that this child of the keeper has ended, and was reaped."""
        self._unused.discard(pid)
        if self._asked is not None:
            self._ended.add(pid)
        if self._rooms is not None and pid == self._rooms.pid:
            self._rooms.close()
            self._rooms = None
        if pid == self._pid:
            self._lose()

    def _receive(self) -> None:
        """Wait for the rooms that are being made, if any are."""
        asked, self._asked = self._asked, None
        if asked is None:
            return
        rules, cwd, channel = asked
        data, fds = b"", list[int]()
        if self._connection is not None:
            with contextlib.suppress(OSError):
                data, fds, _, _ = socket.recv_fds(self._connection, MAX_BYTES, 1)
        if not data:
            self._lose()
        made = _made(data) if data else _Made(0, [])
        if made.pid and fds and made.pid not in self._ended:
            os.set_inheritable(fds[0], False)  # noqa: FBT003 - the standard library's own signature
            ground = Ground(paths_of(rules, cwd), made.marks, fds[0])
            self._rooms = Rooms(rules, cwd, ground, made.pid, channel, self._tell)
        else:
            channel.close()
            for fd in fds:
                os.close(fd)
        self._ended.clear()

    def _lose(self) -> None:
        """Take in that the process which makes rooms is gone, or does not answer; it ends with its connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _start() -> tuple[int, socket.socket]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            raise
        if pid == 0:
            _make(theirs)
    ours.settimeout(_MADE_SECONDS)
    return pid, ours


def _make(wishes: socket.socket) -> NoReturn:
    """Be the process that makes rooms, until the keeper lets go of it."""
    try:
        enter.keep_only([wishes.fileno()])
        stand_alone(enter.this_process())
        kernel, identity = enter.this_kernel(), namespaces.identity()
        while True:
            data, fds, _, _ = socket.recv_fds(wishes, MAX_BYTES, 1)
            if not data:
                break
            wish = _wish(data)
            rules = lasting(decoded(wish.rules))
            with socket.socket(fileno=fds[0]) as channel:
                mounts = watch_mounts()
                marks = marks_of(paths_of(rules, wish.cwd))
                try:
                    pid = kernel.fork(rules.rooms | _CHILD_OF_KEEPER)
                except OSError:
                    pid = 0
                else:
                    if pid == 0:
                        stand_by(rules, wish.cwd, channel, identity)
            socket.send_fds(wishes, [_encode(_Made(pid, marks))], [mounts])
            os.close(mounts)
    except BrokenPipeError:
        pass  # the keeper has given up waiting, or is gone
    except BaseException as error:  # noqa: BLE001 - it must be seen, and must not reach the keeper's code
        os.write(2, f"netscript-workers: the process that makes rooms failed: {error!r}\n".encode())
    finally:
        os._exit(NOT_STARTED)
