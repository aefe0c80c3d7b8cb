"""One place in the tree: its child is started, and started again whenever it ends, until it is told to stop."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable
from typing import Final

from netscript_workers.processes.ending import ending_in_words
from netscript_workers.supervisor.children import Child, ChildSpec
from netscript_workers.supervisor.restarts import BUDGET_WINDOW_S, Ending, Restarts

_FAULT: Final = 70

log = logging.getLogger("netscript_workers.supervisor")


class Kept:
    """Keeps the child of `spec` running. `say` gets process name, stream and line of all that it prints.

    `once` true: an end in order (status 0) is the end of its work, as under `--drain`.
    """

    def __init__(
        self, spec: ChildSpec, supervisor: str, say: Callable[[str, str, str], None], *, once: bool = False
    ) -> None:
        """Start nothing yet."""
        self.spec = spec
        self.child: Child | None = None
        self.restarts = Restarts()
        self.first_up = asyncio.Event()
        self.is_paused = False
        self._supervisor = supervisor
        self._say = say
        self._once = once
        self._stopping = asyncio.Event()

    async def keep(self) -> int:
        """Run until told to stop; the exit status that the supervisor is to end with: 0, or that of a child it cannot keep."""
        while not self._stopping.is_set():
            began = time.monotonic()
            child = self.child = Child(
                self.spec, lambda stream, line: self._say(self.spec.name, stream, line)
            )
            code = await self._run(child)
            if self._stopping.is_set():
                self._say_end(code)
                break
            if code == 0 and self._once:
                log.info("%s is done", self.spec.name)
                break
            now = time.monotonic()
            verdict = self.restarts.ended(code, was_up=child.up.is_set(), lived_s=now - began, now=now)
            words = f"{self.spec.name} (process {child.pid}) {ending_in_words(code)}"
            if verdict.ending is Ending.BOOT and not self.first_up.is_set():
                log.error("%s before it was up; nothing else is started", words)
                return _status(code)
            if verdict.delay_s is None:
                log.critical("%s; too many times within %.0f minutes: giving up", words, BUDGET_WINDOW_S / 60)
                return _status(code)
            if verdict.ending is Ending.LEFT:
                log.info("%s in order; it is started again", words)
            else:
                log.error("%s; it is started again in %.2f s", words, verdict.delay_s)
            await self._pause(verdict.delay_s)
        return 0

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Have the child end and start it no more; again: tells it again."""
        self._stopping.set()
        if self.child is not None:
            self.child.signal(number)

    def tell(self, number: signal.Signals) -> None:
        """Pass a signal on to a child that is up: one that is starting does not listen yet, and would die of it."""
        if self.child is not None and self.child.up.is_set():
            self.child.signal(number)

    @property
    def said(self) -> str:
        """What this place's child says of itself, in a few words."""
        child = self.child
        state = child.status if child is not None and child.pid else "down"
        count = self.restarts.count
        return f"{self.spec.name} {state}{f', restarts: {count}' if count else ''}"

    async def _run(self, child: Child) -> int:
        try:
            child.start(self._supervisor, self.restarts.count)
        except OSError as error:
            log.error("%s could not be started: %s", self.spec.name, error)  # noqa: TRY400 - the message is whole
            return _FAULT
        log.debug("%s is process %d", self.spec.name, child.pid)
        if self._stopping.is_set():  # it came while it was started
            child.signal(signal.SIGTERM)
        watching = asyncio.get_running_loop().create_task(
            self._watch(child), name=f"start of {self.spec.name}"
        )
        try:
            return await child.ended()
        finally:
            watching.cancel()
            await asyncio.wait({watching})

    async def _watch(self, child: Child) -> None:
        await child.up.wait()
        log.info("%s is up (process %d)", self.spec.name, child.pid)
        self.first_up.set()
        if self.is_paused:
            child.signal(signal.SIGTSTP)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _say_end(self, code: int) -> None:
        level = logging.INFO if code == 0 else logging.WARNING
        log.log(level, "%s %s", self.spec.name, ending_in_words(code))


def _status(code: int) -> int:
    return code if code > 0 else _FAULT
