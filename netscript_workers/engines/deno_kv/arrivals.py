"""Moves what Deno puts into its own queue (`kv.enqueue`) over into ours, in one transaction for each batch.

Runs for as long as somebody claims. Deno rings no bell, so it is woken by the writes to the database's log; those who wait for
work look once a second as a net.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from netscript_workers.domain.execution import Enqueued, NewExecution
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.message import NoJobError, Terms, to_execution
from netscript_workers.engines.deno_kv.arrival import Arrival, Place, delay_of, first_backoff
from netscript_workers.engines.deno_kv.bells import Bells
from netscript_workers.engines.deno_kv.connection import Connections
from netscript_workers.engines.deno_kv.garbage import bury
from netscript_workers.engines.deno_kv.log_watch import LogWatch
from netscript_workers.engines.deno_kv.rows import batch
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.stranded import Standing
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.engines.deno_kv.undelivered import Undelivered
from netscript_workers.errors import EngineError

BATCH: Final = 200
# A write to the log is heard before its commit can be seen, so look soon after it, several times (seconds, one after the other).
_SOON_S: Final = (0.002, 0.003, 0.005, 0.01, 0.02, 0.04, 0.08)
_QUIET_S: Final = 0.05  # look again once nobody has written for so long, in case a write went unheard
_PAUSE_S: Final = 0.005  # after a write of our own, which looks by itself (`Connections.arrived`)
_BUSY_PAUSE_S: Final = 0.02  # after a write of others, when there was nothing so many times in a row:
_FRUITLESS: Final = 3
_NET_S: Final = 5.0  # a worker that waits for work looks too, more often (`nudge`)
_FIRST_BOUND_S: Final = 1.0
_STOP_BOUND_S: Final = 5.0
_MOST_DELAY_S: Final = 5.0

Enqueue = Callable[[Transaction, Sequence[NewExecution], int], list[Enqueued]]
log = logging.getLogger("netscript_workers.engine")


class Arrivals:
    """Owns the task that moves. `enqueue` writes executions within a transaction, as of a moment (ms since 1970)."""

    def __init__(
        self,
        connections: Connections,
        bells: Bells,
        watch: LogWatch,
        sql: Statements,
        enqueue: Enqueue,
        terms: Terms,
        wall_ms: Callable[[], int],
    ) -> None:
        """Touch nothing yet."""
        self._connections = connections
        self._bells = bells
        self._watch = watch
        self._sql = sql
        self._enqueue = enqueue
        self._terms = terms
        self._wall_ms = wall_ms
        self._queue = 0
        self._ids = IdFactory()
        self._standing = Standing()
        self._task: asyncio.Task[None] | None = None
        self._caught_up = asyncio.Event()
        self._stopping = True

    @property
    def running(self) -> bool:
        """Tell whether the task is at work."""
        return self._task is not None

    def allow(self) -> None:
        """Let `start` begin: the file is open from now on."""
        self._stopping = False

    async def start(self, queue: int) -> None:
        """Move what waits into the queue of that number, and go on with what comes until `stop`.

        Returns once all that waits is moved, or after a second.
        """
        if self._stopping:
            return
        if self._task is None:
            self._queue = queue
            self._watch.open()
            self._task = asyncio.get_running_loop().create_task(self._move_for_ever(), name="deno arrivals")
        await self.caught_up(_FIRST_BOUND_S)

    async def caught_up(self, bound_s: float) -> None:
        """Return once nothing that was seen waits to be moved, or after `bound_s`; at once when nothing is moved here."""
        if self._task is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(bound_s):
                    await self._caught_up.wait()

    def nudge(self) -> None:
        """Look now: somebody has seen that something is there."""
        self._watch.wake()

    async def stop(self) -> None:
        """End the task. Idempotent."""
        self._stopping = True  # Python 3.11 may swallow a cancellation that comes with the end of a read
        task, self._task = self._task, None
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task}, timeout=_STOP_BOUND_S)
        self._watch.close()

    # ------------------------------------------------------------------ when to look

    async def _move_for_ever(self) -> None:
        delay = 0.0
        while not self._stopping:
            try:
                await self._move_as_they_come()
            except EngineError as error:
                if not delay:
                    log.warning("cannot look for what Deno enqueues: %s; trying again", error)
            except Exception:
                # This task must live: what it failed at stays in Deno's queue.
                log.exception(
                    "a fault of our own while moving what Deno enqueues; trying again; please report this"
                )
            self._caught_up.set()
            delay = min(delay * 2 or 0.1, _MOST_DELAY_S)
            await asyncio.sleep(delay)

    async def _move_as_they_come(self) -> None:
        loop = asyncio.get_running_loop()
        look, fruitless, bound, looked = True, 0, _NET_S, 0.0
        while not self._stopping:
            self._watch.arm()
            ours = self._ours()
            if look or self._connections.arrived or loop.time() - looked > _NET_S:
                looked = loop.time()
                if await self._move_all():
                    fruitless, bound = 0, _QUIET_S
                    continue
            if not await self._watch.wait(bound):
                look, bound = True, _NET_S
                continue
            look, bound = False, _QUIET_S
            if self._ours() != ours:
                await asyncio.sleep(_PAUSE_S)
            elif fruitless >= _FRUITLESS:
                look = True
                await asyncio.sleep(_BUSY_PAUSE_S)
            elif await self._move_soon(ours):
                fruitless = 0
            elif self._ours() == ours:
                fruitless += 1

    def _ours(self) -> int:
        """Count the writes that are known to be no message of Deno's: our own, and those that rang a bell."""
        return self._connections.commits + self._bells.heard

    async def _move_soon(self, ours: int) -> bool:
        for pause in _SOON_S:
            await asyncio.sleep(pause)
            if self._ours() != ours:
                return False
            if await self._move_all():
                return True
        return False

    # ------------------------------------------------------------------ what is moved

    async def _move_all(self) -> bool:
        """Move batch after batch until nothing is left; tell whether anything was moved."""
        moved = False
        stuck: list[Place] = []
        while arrivals := await self._look():
            places = [arrival.place for arrival in arrivals]
            if places == stuck:
                break  # nobody took them, and they cannot be taken: not to be tried without end
            self._caught_up.clear()
            # Not awaiting the disk: what a power cut takes back is in Deno's queue as before.
            taken = await self._connections.write(
                lambda tx, some=arrivals: self._take(tx, some), durable=False
            )
            moved = moved or taken > 0
            stuck = [] if taken else places
        self._caught_up.set()
        return moved

    async def _look(self) -> list[Arrival]:
        now = self._wall_ms()
        found = await self._connections.read_rows(
            self._sql["look_arrivals"], {"limit": BATCH}, lambda row: self._read(row, now)
        )
        arrivals = [one for one in found if isinstance(one, Arrival)]
        stranded = self._standing.look(one for one in found if isinstance(one, Place))
        if stranded:
            places = {"batch": batch(stranded)}
            arrivals += await self._connections.read_rows(
                self._sql["look_stranded"], places, lambda row: self._read_arrival(row, now)
            )
        return arrivals

    def _read(self, row: tuple[Any, ...], now: int) -> Arrival | Place:
        """Make an arrival of a row, or name what a consumer of Deno's runs (on the reading thread)."""
        return Place(row[1], row[2]) if row[0] else self._read_arrival(row, now)

    def _read_arrival(self, row: tuple[Any, ...], now: int) -> Arrival:
        running, number, name, at, data, schedule, keys = row
        arrival = Arrival(
            seen=now,
            stranded=bool(running),
            place=Place(number, name),
            data=data,
            keys=keys.decode("utf-8", "replace"),
        )
        try:
            wanted = self._wanted(data, first_backoff(schedule) if running else delay_of(at, now))
        except (NoJobError, ValueError) as error:
            return msgspec.structs.replace(arrival, reason=str(error))
        except Exception as error:  # one message must not hold up all that are behind it
            log.exception("a fault of our own in reading a message from Deno; please report this")
            return msgspec.structs.replace(arrival, reason=f"it could not be read: {error!r}")
        return msgspec.structs.replace(arrival, wanted=wanted)

    def _wanted(self, data: bytes, delay_ms: int) -> NewExecution:
        from netscript_workers.engines.deno_kv.v8 import decode  # a tenth of a second that most never need

        return to_execution(decode(data), self._ids.new(self._wall_ms()), delay_ms, self._terms)

    def _take(self, tx: Transaction, arrivals: list[Arrival]) -> int:
        """Take from Deno's queue what is still there, put it where it belongs, and return how many there were."""
        taken: list[Arrival] = []
        for verb, stranded in (("take_arrivals", False), ("take_stranded", True)):
            here = [arrival for arrival in arrivals if arrival.stranded is stranded]
            if here:
                places = batch([arrival.place for arrival in here])
                numbers = {row[0] for row in tx.db.execute(self._sql[verb], {"batch": places})}
                taken += [arrival for arrival in here if arrival.place.row in numbers]
        undelivered = Undelivered(self._sql, self._queue)
        wanted = [arrival for arrival in taken if arrival.wanted is not None]
        requests = [arrival.wanted for arrival in wanted if arrival.wanted is not None]
        if requests:
            for arrival, answer in zip(wanted, self._enqueue(tx, requests, wanted[0].seen), strict=True):
                if arrival.has_keys and not answer.deduplicated:
                    undelivered.keep(tx, answer.id, arrival.data, arrival.keys)
        self._bury(tx, [arrival for arrival in taken if arrival.wanted is None], undelivered)
        return len(taken)

    def _bury(self, tx: Transaction, arrivals: list[Arrival], undelivered: Undelivered) -> None:
        for arrival in arrivals:
            kept = bury(tx, self._sql, self._queue, arrival.data, arrival.reason, self._wall_ms())
            if arrival.has_keys:
                undelivered.put(tx, arrival.data, arrival.keys, kept)
        if arrivals:
            log.warning(
                "%d messages from Deno are no jobs and have become dead letters; the first: %s",
                len(arrivals),
                arrivals[0].reason,
            )
