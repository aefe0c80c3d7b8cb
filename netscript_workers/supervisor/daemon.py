"""One daemon process: reach the engine, start the parts in order, act on signals, stop the parts in reverse."""

import asyncio
import logging
import random
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, Protocol

import msgspec

from netscript_workers.errors import EngineError, EngineFormatError
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.runner import SlotReport
from netscript_workers.ports.service import Service
from netscript_workers.supervisor.notices import Notices
from netscript_workers.supervisor.signals import Signals, Word
from netscript_workers.supervisor.slot_lines import say_slots

EXIT_OK: Final = 0
EXIT_FAULT: Final = 70
_PART_GRACE_MS: Final = 5_000
_CLOSE_BOUND_S: Final = 10.0
_LEAST_TRY_MS: Final = 5_000  # one try to reach the engine has so long, however short connect_timeout is
_FIRST_DELAY_S: Final = 0.1
_AFTER_DRAIN_S: Final = (
    60.0  # to interrupt what still runs, to stop the parts and close the engine, each of which has a bound
)

log = logging.getLogger("netscript_workers.daemon")


class Line(Service, Protocol):
    """What the daemon needs of the worker beyond being a service."""

    def pause(self) -> None:
        """Claim nothing more for now."""
        ...

    def resume(self) -> None:
        """Claim again."""
        ...

    async def interrupt(self) -> None:
        """End every run now."""
        ...


class DaemonParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a daemon is made of.

    `late` start after `line` and stop before it. `reload` asks for a reload and says why; None where there is none.
    `reach` opens `engine` within a bound (ms). `services` start in this order, before `line`, and stop in reverse after
    it. `slots` tells what runs where, `fault` returns when a part broke, `drained` (None without `--drain`) returns when the
    queue is empty. `notices` tells those above this process how it is. Times are ms.
    """

    engine: Engine
    reach: Callable[[int], Coroutine[Any, Any, None]]
    line: Line
    services: Sequence[Service]
    late: Sequence[Service] = ()
    reload: Callable[[str], None] | None = None
    slots: Callable[[], list[SlotReport]]
    fault: Callable[[], Coroutine[Any, Any, BaseException]]
    drained: Callable[[], Coroutine[Any, Any, None]] | None
    connect_timeout: int
    shutdown_timeout: int
    greeting: str
    notices: Notices = msgspec.field(default_factory=Notices)


class Daemon:
    """Runs once."""

    def __init__(self, parts: DaemonParts) -> None:
        """Assemble; nothing is touched before `run`."""
        self._parts = parts
        self._signals = Signals()
        self._started: list[Service] = []
        self.shutdown_timeout = parts.shutdown_timeout
        """How long a drain may take (ms); a reload may change it."""

    async def run(self) -> int:
        """Work until a signal, the end of a drain, or a fault; return the exit status.

        Raises `EngineUnavailableError` when the engine cannot be reached within `connect_timeout`,
        `EngineFormatError` at once when its store is not ours, and `SlotError` when a runner cannot start.
        """
        self._signals.install()
        self._parts.notices.begin(partial(self._signals.words.put_nowait, Word.STOP))
        try:
            if not await self._reach_engine():
                await self._close_engine()
                return EXIT_OK
            try:
                return await self._work()
            finally:
                await self._close_engine()
        finally:
            await self._parts.notices.end()
            self._signals.remove()

    async def _work(self) -> int:
        parts = self._parts
        try:
            if not await self._start_unless_told():
                await self._stop_all(0)
                return EXIT_OK
            log.info("%s", parts.greeting)
            parts.notices.ready()
            status = await self._until_told()
        except BaseException:
            await self._stop_all(0)
            raise
        await self._drain()
        return status

    async def _close_engine(self) -> None:
        try:
            await asyncio.wait_for(self._parts.engine.close(), _CLOSE_BOUND_S)
        except TimeoutError:
            log.error(  # noqa: TRY400 - the traceback of a timeout says nothing
                "the engine could not be closed within %.0f s; its connections end with this process",
                _CLOSE_BOUND_S,
            )

    async def _start_unless_told(self) -> bool:
        """Start the services in order; False when told to stop meanwhile, with what had started in `_started`."""
        loop = asyncio.get_running_loop()
        starting = loop.create_task(self._start_in_order(), name="start")
        word = loop.create_task(self._signals.words.get(), name="signal watch")
        try:
            while True:
                await asyncio.wait({starting, word}, return_when=asyncio.FIRST_COMPLETED)
                if starting.done():
                    starting.result()
                    if word.done():  # it came at the same moment: it is for the running daemon
                        self._signals.words.put_nowait(word.result())
                    return True
                if word.result() is Word.STOP:
                    log.info("told to stop while starting")
                    return False
                log.info("%s: not while starting", word.result().value)
                word = loop.create_task(self._signals.words.get(), name="signal watch")
        finally:
            for task in (starting, word):
                task.cancel()
            await asyncio.wait({starting, word}, timeout=_CLOSE_BOUND_S)

    async def _start_in_order(self) -> None:
        for service in (*self._parts.services, self._parts.line, *self._parts.late):
            await service.start()
            self._started.append(service)

    async def _reach_engine(self) -> bool:
        """Open the engine, trying again within `connect_timeout`; False when told to stop meanwhile."""
        began = time.monotonic()
        deadline = began + self._parts.connect_timeout / 1000
        delay = _FIRST_DELAY_S
        while True:
            left_ms = round((deadline - time.monotonic()) * 1000)
            try:
                if not await self._reached_unless_told(max(left_ms, _LEAST_TRY_MS)):
                    return False
            except EngineFormatError:
                raise
            except EngineError as error:
                left = deadline - time.monotonic()
                if left <= 0:
                    log.error("gave up reaching the queue after %.1f s", time.monotonic() - began)  # noqa: TRY400 - it is raised
                    raise
                log.warning("cannot reach the queue yet: %s Trying again for up to %.0f s.", error, left)
                if await self._told_to_stop_within(min(left, delay * random.uniform(0.5, 1.0))):
                    return False
                delay = min(delay * 2, 5.0)
            else:
                if delay > _FIRST_DELAY_S:
                    log.info("reached the queue after %.1f s", time.monotonic() - began)
                return True

    async def _reached_unless_told(self, within_ms: int) -> bool:
        """Try once; False when told to stop meanwhile. Raises what the engine raises."""
        loop = asyncio.get_running_loop()
        reaching = loop.create_task(self._parts.reach(within_ms), name="reach the queue")
        stop = loop.create_task(self._told_to_stop(), name="signal watch")
        try:
            await asyncio.wait({reaching, stop}, return_when=asyncio.FIRST_COMPLETED)
            if reaching.done():
                reaching.result()
                if stop.done():  # it came at the same moment: it is for the running daemon
                    self._signals.words.put_nowait(Word.STOP)
                return True
            log.info("told to stop while reaching the queue")
            return False
        finally:
            for task in (reaching, stop):
                task.cancel()
            await asyncio.wait({reaching, stop}, timeout=_CLOSE_BOUND_S)

    async def _told_to_stop(self) -> None:
        while await self._signals.words.get() is not Word.STOP:
            continue

    async def _told_to_stop_within(self, seconds: float) -> bool:
        try:
            await asyncio.wait_for(self._told_to_stop(), seconds)
        except TimeoutError:
            return False
        return True

    # ------------------------------------------------------------------ while it works

    async def _until_told(self) -> int:
        parts = self._parts
        loop = asyncio.get_running_loop()
        fault = loop.create_task(parts.fault(), name="fault watch")
        drained = loop.create_task(parts.drained(), name="drain watch") if parts.drained else None
        word = loop.create_task(self._signals.words.get(), name="signal watch")
        watched: set[asyncio.Task[Any]] = {task for task in (fault, drained, word) if task is not None}
        try:
            while True:
                await asyncio.wait(watched, return_when=asyncio.FIRST_COMPLETED)
                if fault.done():
                    return EXIT_FAULT
                if drained is not None and drained.done():
                    drained.result()
                    log.info("the queue is empty; done")
                    return EXIT_OK
                if word.done():
                    if word.result() is Word.STOP:
                        return EXIT_OK
                    self._act(word.result())
                    watched.discard(word)
                    word = loop.create_task(self._signals.words.get(), name="signal watch")
                    watched.add(word)
        finally:
            for task in watched:
                task.cancel()
            await asyncio.wait(watched, timeout=5)

    def _act(self, word: Word) -> None:
        if word is Word.PAUSE:
            log.info("paused: no new work is claimed until SIGCONT; what runs goes on")
            self._parts.line.pause()
        elif word is Word.RESUME:
            log.info("resumed: claiming work again")
            self._parts.line.resume()
        elif word is Word.REPORT:
            say_slots(self._parts.slots())
        elif word is Word.RELOAD and self._parts.reload is not None:
            self._parts.reload("SIGHUP")
        elif word is Word.RELOAD:
            log.warning("SIGHUP: this daemon cannot reload its configuration; restart it to apply changes")

    # ------------------------------------------------------------------ the end

    async def _drain(self) -> None:
        """Stop all parts; a second TERM or INT meanwhile interrupts what still runs, at once."""
        loop = asyncio.get_running_loop()
        self._parts.notices.stopping(self.shutdown_timeout / 1000 + _AFTER_DRAIN_S)
        stopping = loop.create_task(self._stop_all(self.shutdown_timeout), name="shutdown")
        word = loop.create_task(self._signals.words.get(), name="signal watch")
        try:
            while not stopping.done():
                await asyncio.wait({stopping, word}, return_when=asyncio.FIRST_COMPLETED)
                if not word.done():
                    continue
                if word.result() is Word.STOP:
                    log.warning("told to stop again: interrupting what still runs")
                    await self._parts.line.interrupt()
                elif word.result() is Word.REPORT:
                    say_slots(self._parts.slots())
                elif word.result() is Word.RELOAD:
                    log.info("SIGHUP: not while stopping")
                word = loop.create_task(self._signals.words.get(), name="signal watch")
            stopping.result()
        finally:
            word.cancel()
            await asyncio.wait({word}, timeout=5)

    async def _stop_all(self, grace_ms: int) -> None:
        started, self._started = self._started, []
        if started:
            log.info("stopping")
        for service in reversed(started):
            grace = grace_ms if service is self._parts.line else _PART_GRACE_MS
            try:
                await service.stop(grace)
            except Exception:
                # One part that cannot end in order must not keep the others from ending.
                log.exception("%s did not stop in order", service.name)
        if started:
            log.info("stopped")
