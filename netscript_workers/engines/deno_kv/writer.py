"""The writing thread: takes whatever waits and does it in one transaction, so that all of it shares one commit.

A commit is seen by every process as soon as it is made; what was promised to be durable is answered only once the disk has it
too (`Journal`). So a worker may begin with an execution while its enqueue is still on the way to the disk, with the lock free.
Losing power then takes both back: nobody had been told that it stands, and what came later is behind it in the same journal.
"""

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from netscript_workers.engines.deno_kv.bells import Bell, Bells
from netscript_workers.engines.deno_kv.failures import explained, translated
from netscript_workers.engines.deno_kv.journal import Journal
from netscript_workers.engines.deno_kv.locking import persist
from netscript_workers.engines.deno_kv.transaction import Operation, Transaction
from netscript_workers.errors import EngineError, WorkersError

CLOSE_BOUND_S: Final = 5.0
_GROUP: Final = 64
_ARRIVED: Final = (
    "SELECT 1 FROM queue LIMIT 1"  # some microseconds, so that a busy daemon need not look for it elsewhere
)

T = TypeVar("T")
log = logging.getLogger("netscript_workers.engine")


class _Item:
    """One operation on its way: what to do, who waits, and how to undo it for a caller that went away."""

    __slots__ = ("answer", "durable", "error", "future", "operation", "undo")

    def __init__(
        self,
        operation: Operation[Any],
        future: "asyncio.Future[Any]",
        undo: Callable[[Any], Operation[Any]] | None,
        *,
        durable: bool,
    ) -> None:
        self.durable = durable
        self.operation = operation
        self.future = future
        self.undo = undo
        self.answer: Any = None
        self.error: BaseException | None = None


class Writer:
    """Owns a connection and the thread that writes through it, from its making until `close`."""

    def __init__(self, db: sqlite3.Connection, path: Path, bells: Bells) -> None:
        """Start the thread; answers go to the running loop."""
        self._db = db
        self._path = path
        self._bells = bells
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._in_hand: list[_Item] = []
        self.commits = 0
        self.arrived = False
        self._journal = Journal(path)
        self._is_doubtful = False  # a sync has failed, and nothing has mended it yet
        self._broken: BaseException | None = None
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._write_for_ever, name="deno-kv-write", daemon=True)
        self._thread.start()

    async def write(
        self, operation: Operation[T], undo: Callable[[T], Operation[Any]] | None, *, durable: bool
    ) -> T:
        """Run `operation` in the next transaction; see `Connections.write`."""
        if self._broken is not None:
            raise EngineError(
                f"the thread that writes {self._path} has ended: {self._broken}; restart this process"
            )
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._items.put(_Item(operation, future, undo, durable=durable))
        return await future

    async def close(self) -> None:
        """Do what is queued, end the thread and close the connection; within about `CLOSE_BOUND_S`."""
        loop = asyncio.get_running_loop()
        self._items.put(None)
        await loop.run_in_executor(None, self._thread.join, CLOSE_BOUND_S)
        ended = not self._thread.is_alive()
        if ended and not self._items.empty() and self._broken is None:
            # Callers that went away during the last writes: what was done for them is taken back.
            self._items.put(None)
            late = loop.run_in_executor(None, self._write_until_told)
            await asyncio.wait({late}, timeout=CLOSE_BOUND_S)
            ended = late.done()
        if not ended:  # it still waits for the lock: its connection must not be closed under it
            log.error(
                "the last writes to %s still wait for its lock or its disk; they are left to run out",
                self._path,
            )
        else:
            self._db.close()
            self._journal.close()

    def _write_for_ever(self) -> None:
        try:
            self._write_until_told()
        except BaseException as error:
            log.critical("the thread that writes %s broke; please report this", self._path, exc_info=error)
            self._broken = error
            self._fail_queued(error)

    def _fail_queued(self, error: BaseException) -> None:
        group = [item for item in self._in_hand if item.error is None]
        for item in group:
            item.error = EngineError(f"the thread that writes {self._path} has ended: {error}")
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._items.get_nowait()
                if item is not None:
                    item.error = EngineError(f"the thread that writes {self._path} has ended: {error}")
                    group.append(item)
        self._hand_over(group)

    def _write_until_told(self) -> None:
        ending = False
        while not ending:
            group: list[_Item] = []
            item = self._items.get()
            while item is not None:
                group.append(item)
                if len(group) >= _GROUP:
                    break
                try:
                    item = self._items.get_nowait()
                except queue.Empty:
                    break
            else:
                ending = True
            self._in_hand = group
            if group:
                self._commit(group)

    def _commit(self, group: list[_Item]) -> None:
        db, bells = self._db, set[Bell]()
        try:
            with translated(self._path):
                persist(db, "BEGIN IMMEDIATE", self._path)
                for item in group:
                    _perform(db, item, bells, None if len(group) == 1 else self._path)
                self.arrived = db.execute(_ARRIVED).fetchone() is not None
                db.execute("COMMIT")
                self.commits += 1
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            self._roll_back(db)
            for item in group:
                item.error = item.error or error
            self._hand_over(group)
        else:
            self._ring(bells - {Bell.SETTLED})
            self._make_durable(group)
            self._ring(bells & {Bell.SETTLED})

    def _make_durable(self, group: list[_Item]) -> None:
        """Answer those who were promised nothing more than the commit, then put it on the disk and answer the others."""
        promised = [item for item in group if item.durable]
        if len(promised) < len(group):
            self._hand_over([item for item in group if not item.durable])
        if promised:
            failure = self._sync()
            if failure is not None:
                for item in promised:
                    item.error = item.error or failure
            self._hand_over(promised)

    def _sync(self) -> EngineError | None:
        """Put all commits on the disk; returns what prevents it.

        The kernel tells of a failed write once and then holds the pages for good, so after a failure no sync is believed before
        a checkpoint has written them anew, into the database.
        """
        try:
            if not self._is_doubtful:
                self._journal.sync()
                return None
        except OSError as error:
            self._is_doubtful = True
            log.error("the disk did not take the journal of %s: %s; writing it anew", self._path, error)  # noqa: TRY400
        try:
            (blocked, _, _) = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        except sqlite3.Error as error:
            why = str(error)
        else:
            if not blocked:
                self._is_doubtful = False
                return None
            why = "another process reads the file"
        return EngineError(
            f"the disk did not take what was written to {self._path}, nor once more: {why}. "
            "It stands, but a power cut may take it back; look after the disk (dmesg)."
        )

    def _roll_back(self, db: sqlite3.Connection) -> None:
        try:
            if db.in_transaction:
                db.execute("ROLLBACK")
        except sqlite3.Error as error:
            log.error("could not roll back in %s: %s; the next write tries again", self._path, error)  # noqa: TRY400

    def _hand_over(self, group: list[_Item]) -> None:
        """Let the loop tell those who wait; nobody does any more once it is closed."""
        try:
            self._loop.call_soon_threadsafe(self._deliver, group)
        except RuntimeError:
            log.warning("%d writes to %s ended after their event loop", len(group), self._path)

    def _ring(self, bells: set[Bell]) -> None:
        """Wake the waiters of what is committed; where that fails they look by themselves within a second."""
        try:
            self._bells.ring(bells)
        except OSError as error:
            log.warning("could not wake those who wait on %s: %s", self._path, error)

    def _deliver(self, group: list[_Item]) -> None:
        for item in group:
            future = item.future
            if future.done():
                if item.error is None and item.undo is not None:
                    undo = item.undo(item.answer)
                    self._items.put(
                        _Item(undo, asyncio.get_running_loop().create_future(), None, durable=False)
                    )
            elif item.error is not None:
                future.set_exception(item.error)
            else:
                future.set_result(item.answer)


def _perform(db: sqlite3.Connection, item: _Item, bells: set[Bell], path: Path | None) -> None:
    """Do one operation. Within a group (`path` names the file then) one that fails takes back its own part only."""
    alone = path is None
    if not alone:
        db.execute("SAVEPOINT one")
    rung: set[Bell] = set()
    try:
        item.answer = item.operation(Transaction(db, rung))
    except Exception as error:
        if path is None or not db.in_transaction:
            raise
        db.execute("ROLLBACK TO one")
        item.error = error if isinstance(error, WorkersError) else explained(error, path)
    else:
        bells |= rung
    if not alone:
        db.execute("RELEASE one")
