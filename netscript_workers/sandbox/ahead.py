"""Rooms that wait for their program: with all that is the same for every run of a target, and nothing of any run.

No argument, variable, descriptor or word to the proxy is in them. These come with the order, to rooms that were made by the very
rules that it carries, on ground that has not changed since; to others it never comes. Two processes: the init of the rooms, which
is a child of the keeper, and the program. The keeper itself answers what their filter asks.
"""

import os
import socket
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

import msgspec

from netscript_workers.processes.spawn import NOT_STARTED, Ended, refusal, stand_alone
from netscript_workers.processes.spawn_messages import Refused, Spawn
from netscript_workers.sandbox import enter, namespaces
from netscript_workers.sandbox.attending import MAX_BYTES, READY, REFUSED, WAY_OUT, Attended
from netscript_workers.sandbox.ground import Ground
from netscript_workers.sandbox.limits import without_watcher
from netscript_workers.sandbox.rules import Program, Rules, lasting

_FDS: Final = 3


class _Order(msgspec.Struct, frozen=True, array_like=True):
    serial: int
    argv: tuple[bytes, ...]
    env: dict[bytes, bytes]


_encode: Final = msgspec.msgpack.Encoder().encode
_decode: Final = msgspec.msgpack.Decoder(_Order).decode


class Rooms:
    """Rooms that wait for their program, then hold it (see `processes/spawn.py`).

    Made by `rules`, where the working directory is `cwd`, on `ground`; `channel` leads to their init, `pid`.
    """

    def __init__(
        self,
        rules: Rules,
        cwd: bytes,
        ground: Ground,
        pid: int,
        channel: socket.socket,
        tell: Callable[[Refused], None],
    ) -> None:
        self.pid = pid
        self._rules = rules
        self._cwd = cwd
        self._ground = ground
        self._watch = Attended(pid, channel, enter.this_kernel(), tell)

    def take(self, order: Spawn, rules: Rules, fds: Sequence[int]) -> bool:
        """Start the program of `order`, whose confinement is `rules`; False when these rooms are not what it needs."""
        data = _encode(_Order(order.serial, rules.argv, rules.env))
        if order.cwd != self._cwd or lasting(rules) != self._rules or len(data) > MAX_BYTES:
            return False
        if not self._ground.is_unchanged():
            return False
        try:
            # Nothing is started before the order is sent; whatever goes wrong until then, this is tried otherwise.
            self._watch.begin(fds[2], rules.proxy, rules.token)
            self._watch.order(data, fds)
        except OSError:
            return False  # it could not be made, or has been killed: whoever tries again can say why
        self._ground.close()
        return True

    def fileno(self) -> int:
        """Return a descriptor that is readable when `attend` has something to do."""
        return self._watch.fileno()

    def attend(self) -> Ended | None:
        """Answer what waits, without waiting for more; returns how the program ended once nothing of the run is left."""
        return self._watch.attend()

    def close(self) -> None:
        """Let go of the rooms, which end when they are unused. Idempotent."""
        self._ground.close()
        self._watch.close()


def stand_by(rules: Rules, cwd: bytes, channel: socket.socket, identity: namespaces.Identity) -> NoReturn:
    """Be the first process of rooms, make them ready, and go on when the order has come."""
    serial = 0

    def program() -> Program:
        nonlocal serial
        channel.send(READY)
        data, fds, _, _ = socket.recv_fds(channel, MAX_BYTES, _FDS)
        if not data:
            os._exit(0)  # nothing came, and the rooms end with this process
        order = _decode(data)
        serial = order.serial
        for place, fd in enumerate(fds):
            os.dup2(fd, place)
            os.close(fd)
        return Program(order.argv, order.env)

    try:
        enter.keep_only([channel.fileno()])
        kernel, process = enter.this_kernel(), enter.this_process()
        stand_alone(process)
        namespaces.settle(rules.rooms, identity)
        process.die_with_parent()  # the kernel may have forgotten it with the change of user
        if rules.proxy:
            with enter.listen_inside() as listening:
                socket.send_fds(channel, [WAY_OUT], [listening.fileno()])
        os.chdir(cwd)
        rules = msgspec.structs.replace(rules, limits=without_watcher(rules.limits))
        enter.go_on(kernel, process, rules, channel, cwd, program)
    except BaseException as error:  # noqa: BLE001 - it must be seen, and must not reach the maker's code
        if serial:  # else whoever has the order tries it otherwise, and tells what prevents it
            channel.send(REFUSED + _encode(refusal(serial, "confinement", error)))
    finally:
        os._exit(NOT_STARTED)
