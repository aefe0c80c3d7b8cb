"""Two connections on two threads: one writes, in groups that share a commit; one reads beside it."""

import asyncio
import operator
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, TypeVar

from netscript_workers.engines.deno_kv.bells import Bells
from netscript_workers.engines.deno_kv.failures import translated
from netscript_workers.engines.deno_kv.locking import connect
from netscript_workers.engines.deno_kv.transaction import Operation
from netscript_workers.engines.deno_kv.writer import Writer
from netscript_workers.errors import EngineError, EngineUnavailableError

READ_BOUND_S: Final = 60.0

T = TypeVar("T")


class Connections:
    """Owns both connections and both threads between `open` and `close`."""

    def __init__(self, path: Path, bells: Bells) -> None:
        """Serve the database at `path`."""
        self._path = path
        self._bells = bells
        self._writer: Writer | None = None
        self._reading: sqlite3.Connection | None = None
        self._readers: ThreadPoolExecutor | None = None

    def open(self, prepare: Callable[[sqlite3.Connection], None]) -> None:
        """Connect, let `prepare` see to the schema, and start the threads; blocks for the time of a few file accesses."""
        with translated(self._path):
            writing = connect(self._path)
            try:
                prepare(writing)
                self._reading = connect(self._path)
                self._reading.execute("PRAGMA query_only=ON")
                writing.execute("PRAGMA busy_timeout=0")
                self._writer = Writer(writing, self._path, self._bells)
            except OSError as error:
                self._drop(writing)
                raise EngineUnavailableError(
                    f"cannot open the journal of {self._path}: {error}. It must stand beside it and be writable."
                ) from error
            except BaseException:
                self._drop(writing)
                raise
        self._readers = ThreadPoolExecutor(1, thread_name_prefix="deno-kv-read")

    def _drop(self, writing: sqlite3.Connection) -> None:
        writing.close()
        self._close_reading()

    async def close(self) -> None:
        """Finish what is queued, end the threads and close the connections. Idempotent."""
        writer, self._writer = self._writer, None
        if writer is not None:
            await writer.close()
        self._close_reading()

    def _close_reading(self) -> None:
        readers, self._readers = self._readers, None
        reading, self._reading = self._reading, None
        if reading is None:
            return
        reading.interrupt()  # nobody waits for an answer any more
        if readers is not None:
            readers.shutdown(wait=True, cancel_futures=True)
        reading.close()

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
        if self._writer is None:
            raise EngineUnavailableError(f"the queue {self._path} is not open")
        return await self._writer.write(operation, undo, durable=durable)

    @property
    def commits(self) -> int:
        """Return how many transactions were committed through here so far."""
        return 0 if self._writer is None else self._writer.commits

    @property
    def arrived(self) -> bool:
        """Tell whether the last of them met something in Deno's own queue."""
        return self._writer is not None and self._writer.arrived

    async def read(self, statement: str, parameters: dict[str, Any]) -> Any:
        """Run a statement that returns one value, beside the writer, and return it."""
        rows = await self.read_rows(statement, parameters, operator.itemgetter(0), 1)
        return rows[0] if rows else None

    async def read_rows(
        self,
        statement: str,
        parameters: dict[str, Any],
        make: Callable[[tuple[Any, ...]], T],
        limit: int | None = None,
    ) -> list[T]:
        """Run a statement beside the writer, and return what `make` makes of each row (on the reading thread).

        `limit` is how many rows are fetched at most; None is all.
        """
        readers, reading = self._readers, self._reading
        if readers is None or reading is None:
            raise EngineUnavailableError(f"the queue {self._path} is not open")

        def fetch() -> list[T]:
            with translated(self._path):
                cursor = reading.execute(statement, parameters)
                rows: list[tuple[Any, ...]] = cursor.fetchall() if limit is None else cursor.fetchmany(limit)
                cursor.close()
            return [make(row) for row in rows]

        future = asyncio.get_running_loop().run_in_executor(readers, fetch)
        try:  # not `wait_for`: in Python 3.11 it swallows a cancellation that comes with the answer
            await asyncio.wait({future}, timeout=READ_BOUND_S)
            if not future.done():
                raise EngineError(
                    f"{self._path} was not read within {READ_BOUND_S:.0f} s; the disk is stalled or very slow"
                )
            return future.result()
        finally:
            future.cancel()
