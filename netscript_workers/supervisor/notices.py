"""What a daemon tells those above it, systemd or its supervisor: ready, status, signs of life, the end."""

import asyncio
import contextlib
import faulthandler
import logging
import time
from collections.abc import Callable, MutableMapping
from functools import partial
from typing import Final

from netscript_workers.supervisor.link import Link, Place, take_link
from netscript_workers.supervisor.systemd import ServiceManager, take_service_manager

_LOOK_S: Final = 1.0
_EXTEND_S: Final = 20.0
_MICROSECONDS: Final = 1_000_000
_ORPHAN_FACTOR: Final = 3  # a supervisor that lives acts long before

log = logging.getLogger("netscript_workers.daemon")


class Notices:
    """Speaks for one process. `manager` and `link` are those above it, None where there is none: then it does nothing.

    Between `begin` and `end` it sends a sign of life while the loops move, and the status line whenever it changes.
    """

    def __init__(self, manager: ServiceManager | None = None, link: Link | None = None) -> None:
        """Say nothing yet."""
        self._manager = manager
        self._link = link
        self._above = [one for one in (manager, link) if one is not None]
        self._task: asyncio.Task[None] | None = None
        self._said = ""
        self._stopping_until: float | None = None
        self._state: Callable[[], str] = str
        self._stalled: Callable[[], float] = float

    @classmethod
    def from_environment(cls, environ: MutableMapping[str, str]) -> "Notices":
        """Find those above this process in `environ` and take the variables out of it; call it before anything is started."""
        return cls(take_service_manager(environ), take_link(environ))

    @property
    def place(self) -> Place | None:
        """This process's place in the tree of a supervisor; None outside one."""
        return self._link.place if self._link is not None else None

    def describe(self, state: Callable[[], str], stalled: Callable[[], float]) -> None:
        """Say how to look at the daemon, before `begin`.

        `state` writes the status line; `stalled` tells for how many seconds the part that moves least has not moved (0: all
        move).
        """
        self._state, self._stalled = state, stalled

    def begin(self, on_orphaned: Callable[[], None]) -> None:
        """Begin to send signs of life; `on_orphaned` is called when the supervisor of this process is gone."""
        if not self._above or self._task is not None:
            return
        with contextlib.suppress(OSError, RuntimeError, ValueError):  # stderr is closed: nobody could read it
            faulthandler.enable()  # the SIGABRT for a hung loop, systemd's or a supervisor's, then says where it hangs
        if self._link is not None:
            self._link.watch(partial(self._lose, on_orphaned))
        self._task = asyncio.get_running_loop().create_task(self._go_on(), name="notices")

    def ready(self) -> None:
        """Say that the daemon works."""
        self._said = self._state()
        self._send("READY=1", f"STATUS={_line(self._said)}")

    def reloading(self) -> None:
        """Say that a reload begins; `ready` says that it is over, whether the new configuration was taken or not."""
        self._send("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reload(self, under_way: bool) -> None:  # noqa: FBT001 - the two ends of one hook
        """Say that a reload begins (`under_way`), or that it is over."""
        if under_way:
            self.reloading()
        else:
            self.ready()

    def stopping(self, within_s: float) -> None:
        """Say that the daemon stops, and go on asking for time for at most `within_s`."""
        self._stopping_until = time.monotonic() + within_s
        self._send("STOPPING=1")
        self._look()

    async def end(self) -> None:
        """Say nothing more. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=_LOOK_S)
        if self._link is not None:
            faulthandler.cancel_dump_traceback_later()
            self._link.close()

    async def _go_on(self) -> None:
        periods = [one.watchdog_s / 2 for one in self._above if one.watchdog_s is not None]
        while True:
            self._look()
            await asyncio.sleep(min([_LOOK_S, *periods]))

    def _look(self) -> None:
        said = self._state()
        if said != self._said:
            self._said = said
            self._send(f"STATUS={_line(said)}")
        if self._stopping_until is not None and time.monotonic() < self._stopping_until:
            self._send(f"EXTEND_TIMEOUT_USEC={round(_EXTEND_S * _MICROSECONDS)}")
        stalled = self._stalled()
        for one in self._above:
            if one.watchdog_s is not None and stalled < one.watchdog_s:
                one.send("WATCHDOG=1")
        if self._link is not None:
            # Should the loop hang when the supervisor is dead, nobody else would end this process. This thread needs no
            # interpreter; it says where the loop hangs.
            with contextlib.suppress(
                OSError, RuntimeError, ValueError
            ):  # stderr is closed: the kernel's limit is all there is
                faulthandler.dump_traceback_later(self._link.watchdog_s * _ORPHAN_FACTOR, exit=True)

    def _lose(self, on_orphaned: Callable[[], None]) -> None:
        log.error("the supervisor of this process is gone: it drains and ends")
        on_orphaned()

    def _send(self, *fields: str) -> None:
        for one in self._above:
            one.send(*fields)


def _line(text: str) -> str:
    return " ".join(text.split())
