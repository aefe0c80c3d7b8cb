"""Hears the server's notifications on a connection of its own, and reconnects. Where nobody can listen, waits are short."""

import asyncio
import contextlib
import logging
import random
from collections.abc import AsyncGenerator, Iterable
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from netscript_workers.engines.postgres.connection import CLOSE_BOUND_S, STATEMENT_BOUND_S, Connections
from netscript_workers.engines.postgres.failures import DRIVER_ERRORS, explained
from netscript_workers.engines.postgres.statements import statement

if TYPE_CHECKING:
    from netscript_workers.engines.postgres.connection import Connection

LOOK_AGAIN_S: Final = 5.0
POLL_S: Final = 0.25
_BEAT_S: Final = 15.0
_FIRST_DELAY_S: Final = 0.1
_MAX_DELAY_S: Final = 5.0

log = logging.getLogger("netscript_workers.engine")


class Bell(StrEnum):
    """What may have happened."""

    WORK = "work"
    CANCEL = "cancel"
    END = "end"


class Bells:
    """The notifications of one queue. Belongs to one event loop."""

    def __init__(self, connections: Connections) -> None:
        """Listen through a connection of `connections`' kind; `open` begins."""
        self._connections = connections
        self._queue = 0
        self._strokes = dict.fromkeys(Bell, 0)
        self._waiting: dict[Bell, set[asyncio.Future[None]]] = {bell: set() for bell in Bell}
        self._task: asyncio.Task[None] | None = None
        self._connection: Connection | None = None
        self._speaking = asyncio.Lock()
        self._ends_expected = False
        self._expecting = 0

    @property
    def listening(self) -> bool:
        """Whether notifications reach this process now: never through a pooler, nor while the connection is down."""
        return self._connection is not None

    @property
    def patience_s(self) -> float:
        """How long a wait may rely on the bells before it looks for itself."""
        return LOOK_AGAIN_S if self.listening else POLL_S

    def open(self, queue: int) -> None:
        """Begin to listen for the queue with this number."""
        self._queue = queue
        if self._connections.pooled:
            log.warning(
                "PostgreSQL at %s is reached through a pooler (PgBouncer): nobody can listen there, so this process looks for "
                "work, cancellations and ends every %.0f ms. Connect to the server itself to be woken at once.",
                self._connections.shown,
                POLL_S * 1000,
            )
            return
        self._task = asyncio.get_running_loop().create_task(self._listen_for_ever(), name="postgres listen")

    async def close(self) -> None:
        """End the connection; whoever still waits is woken."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait({task}, timeout=2 * CLOSE_BOUND_S)
        self._strike(Bell)

    def strokes(self, bell: Bell) -> int:
        """Return how often `bell` was heard; what `wait` takes."""
        return self._strokes[bell]

    async def wait(self, bell: Bell, heard: int, seconds: float) -> bool:
        """Return True once `bell` is heard beyond `heard` strokes, False after `seconds`."""
        if self._strokes[bell] != heard:
            return True
        if seconds <= 0:
            return False
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[bell].add(waiter)
        try:
            await asyncio.wait({waiter}, timeout=seconds)
        finally:
            self._waiting[bell].discard(waiter)
            waiter.cancel()
        return self._strokes[bell] != heard

    @contextlib.asynccontextmanager
    async def expecting_ends(self) -> AsyncGenerator[None]:
        """Let settlements ring the bell of ends meanwhile: they do so only while somebody waits for it."""
        self._expecting += 1
        try:
            await self._say_ends_expected()
            yield
        finally:
            self._expecting -= 1

    async def _say_ends_expected(self) -> None:
        async with self._speaking:
            connection = self._connection
            if connection is None or self._ends_expected:
                return
            try:
                async with asyncio.timeout(STATEMENT_BOUND_S):
                    await connection.fetchval(statement("expect_ends"), self._queue)
            except (*DRIVER_ERRORS, TimeoutError):
                connection.terminate()  # its owner below connects again; until then waits are short
            else:
                self._ends_expected = True

    async def _listen_for_ever(self) -> None:
        delay, silent = _FIRST_DELAY_S, False
        while True:
            try:
                await self._listen()
            except (*DRIVER_ERRORS, TimeoutError) as error:
                if not silent:
                    log.warning(
                        "not woken by notifications for now: %s", explained(error, self._connections.shown)
                    )
                silent = True
            except Exception:
                log.exception("a fault of our own while listening to PostgreSQL; please report this")
            else:
                delay, silent = _FIRST_DELAY_S, False
            self._strike(Bell)
            await asyncio.sleep(delay * random.uniform(0.5, 1.0))
            delay = min(delay * 2, _MAX_DELAY_S)

    async def _listen(self) -> None:
        """Listen on one connection until it breaks; raises what the driver raises when it could not be had at all."""
        connection = await self._connections.connect()
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            async with asyncio.timeout(STATEMENT_BOUND_S):
                for bell in Bell:
                    await connection.add_listener(f"netscript_{self._queue}_{bell}", self._on_notification)
            self._ends_expected = False
            self._connection = connection
            self._strike(Bell)  # what rang meanwhile was not heard
            if self._expecting:
                await self._say_ends_expected()
            await self._beat(connection, lost)
        finally:
            self._connection = None
            self._ends_expected = False
            connection.terminate()

    async def _beat(self, connection: "Connection", lost: asyncio.Event) -> None:
        """Return when the connection is lost; a silent one is asked for a sign of life."""
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(lost.wait(), _BEAT_S)
            if lost.is_set():
                return
            try:
                async with self._speaking, asyncio.timeout(STATEMENT_BOUND_S):
                    if self._ends_expected and not self._expecting:
                        await connection.fetchval(statement("forget_ends"), self._queue)
                        self._ends_expected = False
                    else:
                        await connection.fetchval("SELECT 1")
            except (*DRIVER_ERRORS, TimeoutError):
                return

    def _on_notification(self, _connection: object, _pid: int, channel: str, _payload: object) -> None:
        self._strike([Bell(channel.rpartition("_")[2])])

    def _strike(self, bells: Iterable[Bell]) -> None:
        for bell in bells:
            self._strokes[bell] += 1
            for waiter in self._waiting[bell]:
                if not waiter.done():
                    waiter.set_result(None)
