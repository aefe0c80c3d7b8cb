"""The client of a program without an event loop."""

import asyncio
import inspect
import os
import threading
from collections.abc import Coroutine, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from netscript_workers.catalog import Catalog
from netscript_workers.client.asynchronous import Client
from netscript_workers.client.requests import Duration, Trigger
from netscript_workers.domain.execution import Enqueued, Execution, LogLine, Status, TriggeredBy
from netscript_workers.domain.target import Target
from netscript_workers.errors import UsageError
from netscript_workers.ports.engine import Engine

_T = TypeVar("_T")
_END_S: Final = 30.0


class SyncClient:
    """The twin of `Client`, method by method: `with SyncClient("config.toml") as client: …`.

    Owns a thread with an event loop from `open` to `close`. Its methods may be called from any number of threads.
    """

    def __init__(
        self,
        config: str | os.PathLike[str] | None = None,
        *,
        engine: Engine | None = None,
        catalog: Catalog | None = None,
        max_payload_bytes: int | None = None,
        triggered_by: TriggeredBy = TriggeredBy.MANUAL,
    ) -> None:
        self._client = Client(
            config,
            engine=engine,
            catalog=catalog,
            max_payload_bytes=max_payload_bytes,
            triggered_by=triggered_by,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Start the thread and do what `Client.open` does; on an error the thread is ended again. Idempotent."""
        if self._thread is None:
            ready = threading.Event()
            self._thread = threading.Thread(
                target=self._work, args=(ready,), name="netscript-workers client", daemon=True
            )
            self._thread.start()
            ready.wait()
        try:
            self._run(self._client.open())
        except BaseException:
            self._end_thread()
            raise

    def close(self) -> None:
        """Do what `Client.close` does and end the thread. Idempotent."""
        if self._thread is None:
            return
        try:
            self._run(self._client.close())
        finally:
            self._end_thread()

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def targets(self) -> Mapping[str, Target]:
        """Do what `Client.targets` does."""
        return self._run(self._client.targets())

    def trigger(  # noqa: PLR0913 - as `Client.trigger`
        self,
        id: str,
        payload: Any = None,
        *,
        priority: int | None = None,
        delay: Duration = 0,
        idempotency_key: str | None = None,
        correlation_id: str | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        connection: Any = None,
    ) -> Enqueued:
        """Do what `Client.trigger` does; `connection` is one that blocks: it is used while this call waits."""
        _refuse_async(connection)
        return self._run(
            self._client.trigger(
                id,
                payload,
                priority=priority,
                delay=delay,
                idempotency_key=idempotency_key,
                correlation_id=correlation_id,
                traceparent=traceparent,
                tracestate=tracestate,
                connection=connection,
            )
        )

    def trigger_many(
        self,
        what: str | Iterable[Trigger],
        payloads: Iterable[Any] | None = None,
        *,
        priority: int | None = None,
        delay: Duration = 0,
        correlation_id: str | None = None,
        connection: Any = None,
    ) -> list[Enqueued]:
        """Do what `Client.trigger_many` does; `connection` as for `trigger`."""
        _refuse_async(connection)
        return self._run(
            self._client.trigger_many(
                what,
                payloads,
                priority=priority,
                delay=delay,
                correlation_id=correlation_id,
                connection=connection,
            )
        )

    def get(self, execution_id: str) -> Execution:
        """Do what `Client.get` does."""
        return self._run(self._client.get(execution_id))

    def wait(self, execution_id: str, timeout: Duration | None = None) -> Execution:
        """Do what `Client.wait` does."""
        return self._run(self._client.wait(execution_id, timeout))

    def cancel(self, execution_id: str) -> Status:
        """Do what `Client.cancel` does."""
        return self._run(self._client.cancel(execution_id))

    def retry(self, execution_id: str) -> None:
        """Do what `Client.retry` does."""
        return self._run(self._client.retry(execution_id))

    def executions(
        self,
        *,
        job: str | None = None,
        topic: str | None = None,
        status: Status | str | None = None,
        correlation_id: str | None = None,
        limit: int | None = 20,
    ) -> list[Execution]:
        """Do what `Client.executions` does."""
        return self._run(
            self._client.executions(
                job=job, topic=topic, status=status, correlation_id=correlation_id, limit=limit
            )
        )

    def logs(self, execution_id: str) -> list[LogLine]:
        """Do what `Client.logs` does."""
        return self._run(self._client.logs(execution_id))

    def _work(self, ready: threading.Event) -> None:
        with asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            self._loop.call_soon(ready.set)
            self._loop.run_forever()

    def _run(self, call: Coroutine[Any, Any, _T]) -> _T:
        """Run `call` on the thread's loop and wait for it; an interrupted wait (Ctrl-C) cancels it there."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            call.close()
            raise UsageError("this client is not open: use it in `with SyncClient(…) as client:`")
        if threading.current_thread() is thread:
            call.close()
            raise UsageError("SyncClient cannot be used from within its own event loop")
        future = asyncio.run_coroutine_threadsafe(call, loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def _end_thread(self) -> None:
        loop, thread = self._loop, self._thread
        self._loop = self._thread = None
        if loop is not None and thread is not None:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(_END_S)


def _refuse_async(connection: Any) -> None:
    if inspect.iscoroutinefunction(getattr(connection, "execute", None)):
        raise UsageError(
            f"SyncClient takes a connection that blocks, not a {type(connection).__qualname__}: use Client with that one"
        )
