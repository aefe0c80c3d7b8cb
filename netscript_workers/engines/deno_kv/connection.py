"""Two connections on two threads: one writes, in groups that share a commit; one reads beside it."""

import asyncio
import logging
import queue
import random
import sqlite3
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from netscript_workers.engines.deno_kv.bells import Bell, Bells
from netscript_workers.engines.deno_kv.failures import explained, translated
from netscript_workers.errors import EngineError, EngineUnavailableError, WorkersError

LOCK_BOUND_S: Final = 60.0
READ_BOUND_S: Final = 60.0
_GROUP: Final = 64
_PRAGMAS: Final = ("PRAGMA synchronous=FULL", "PRAGMA cache_size=-2000", "PRAGMA temp_store=MEMORY")

T = TypeVar("T")
log = logging.getLogger("netscript_workers.engine")


class Transaction:
    """What one operation sees: the connection inside the group's transaction, and the bells to ring after the commit."""

    def __init__(self, db: sqlite3.Connection, bells: set[Bell]) -> None:
        """Work on `db`."""
        self.db = db
        self.bells = bells

    def one(self, statement: str, parameters: dict[str, Any]) -> Any:
        """Run a statement that returns one value and return it."""
        row = self.db.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def run(self, statement: str, parameters: dict[str, Any]) -> int:
        """Run a statement and return how many rows it changed."""
        return self.db.execute(statement, parameters).rowcount


Operation = Callable[[Transaction], T]


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


class Connections:
    """Owns both connections and both threads between `open` and `close`."""

    def __init__(self, path: Path, bells: Bells) -> None:
        """Serve the database at `path`."""
        self._path = path
        self._bells = bells
        self._items: queue.SimpleQueue[_Item | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._writing: sqlite3.Connection | None = None
        self._reading: sqlite3.Connection | None = None
        self._readers: ThreadPoolExecutor | None = None
        self._durable = True

    def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Connect, let `prepare` see to the schema, and start the threads; blocks for the time of a few file accesses."""
        with translated(self._path):
            self._writing = _connect(self._path)
            try:
                prepare(self._writing)
                self._reading = _connect(self._path)
                self._reading.execute("PRAGMA query_only=ON")
            except BaseException:
                self._disconnect()
                raise
        self._writing.execute("PRAGMA busy_timeout=0")
        self._durable = True
        self._loop = asyncio.get_running_loop()
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="deno-kv-read")
        self._thread = threading.Thread(target=self._write_for_ever, name="deno-kv-write", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Finish what is queued, end the threads and close the connections. Idempotent."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._items.put(None)
            await asyncio.get_running_loop().run_in_executor(None, thread.join, LOCK_BOUND_S)
        readers, self._readers = self._readers, None
        if readers is not None:
            readers.shutdown(wait=True, cancel_futures=True)
        self._disconnect()

    def _disconnect(self) -> None:
        for connection in (self._reading, self._writing):
            if connection is not None:
                connection.close()
        self._reading = self._writing = None

    async def write(
        self,
        operation: Operation[T],
        undo: Callable[[T], Operation[Any]] | None = None,
        *,
        durable: bool = True,
    ) -> T:
        """Run `operation` and return its answer once the commit is done: on the disk, if `durable`.

        One that is not survives the end of every process, though not a power cut; a later durable commit takes it along.
        A claim is such a one: forgotten, its execution is queued as before.
        `undo` makes the operation that takes back what was done for a caller cancelled meanwhile.
        """
        if self._thread is None:
            raise EngineUnavailableError(f"the queue {self._path} is not open")
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._items.put(_Item(operation, future, undo, durable=durable))
        return await future

    async def read(self, statement: str, parameters: dict[str, Any]) -> Any:
        """Run a statement that returns one value, beside the writer, and return it."""
        readers, reading = self._readers, self._reading
        if readers is None or reading is None:
            raise EngineUnavailableError(f"the queue {self._path} is not open")

        def fetch() -> Any:
            with translated(self._path):
                row = reading.execute(statement, parameters).fetchone()
            return None if row is None else row[0]

        return await asyncio.wait_for(
            asyncio.get_running_loop().run_in_executor(readers, fetch), READ_BOUND_S
        )

    # ------------------------------------------------------------------ the writing thread

    def _write_for_ever(self) -> None:
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
            if group:
                self._commit(group)

    def _commit(self, group: list[_Item]) -> None:
        db, bells = self._writing, set[Bell]()
        if db is None:
            raise AssertionError("the writing thread outlived its connection")
        try:
            with translated(self._path):
                self._sync_for(db, durable=any(item.durable for item in group))
                _persist(db, "BEGIN IMMEDIATE", self._path)
                for item in group:
                    _perform(db, item, bells, None if len(group) == 1 else self._path)
                db.execute("COMMIT")
        except BaseException as error:  # noqa: BLE001 - it belongs to those who wait
            if db.in_transaction:
                db.execute("ROLLBACK")
            for item in group:
                item.error = item.error or error
        else:
            self._ring(bells)
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._deliver, group)

    def _ring(self, bells: set[Bell]) -> None:
        """Wake the waiters of what is committed; where that fails they look by themselves within a second."""
        try:
            self._bells.ring(bells)
        except OSError as error:
            log.warning("could not wake those who wait on %s: %s", self._path, error)

    def _sync_for(self, db: sqlite3.Connection, *, durable: bool) -> None:
        """Let the next commit wait for the disk only if somebody was promised that."""
        if durable is not self._durable:
            db.execute("PRAGMA synchronous=FULL" if durable else "PRAGMA synchronous=NORMAL")
            self._durable = durable

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


def _persist(db: sqlite3.Connection, statement: str, path: Path) -> None:
    """Run what needs the write lock: others hold it for a few ms at a time, so wait in short random steps, bounded."""
    deadline = time.monotonic() + LOCK_BOUND_S
    while True:
        try:
            db.execute(statement)
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            if time.monotonic() > deadline:
                raise EngineError(
                    f"another process has held the write lock of {path} for {LOCK_BOUND_S:.0f} s. "
                    "Find it (fuser, lsof) and end it."
                ) from error
        time.sleep(random.uniform(0.0002, 0.002))


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_BOUND_S, isolation_level=None, check_same_thread=False)
    try:
        # Of several that make a new file at once, SQLite turns all but one away here, without its own waiting.
        _persist(connection, "PRAGMA journal_mode=WAL", path)
        for pragma in _PRAGMAS:
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection
