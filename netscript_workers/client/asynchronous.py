"""The client of a program with an event loop."""

import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from netscript_workers.catalog import Catalog
from netscript_workers.client.enqueuer import Enqueuer
from netscript_workers.client.requests import Duration, RequestMaker, Trigger, delay_ms
from netscript_workers.domain.execution import (
    FINISHED,
    Enqueued,
    Execution,
    LogLine,
    NewExecution,
    Status,
    TriggeredBy,
)
from netscript_workers.domain.target import Target
from netscript_workers.errors import (
    ConfigError,
    IllegalMoveError,
    UnknownExecutionError,
    UsageError,
    WaitTimeoutError,
)
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.history import HistoryQuery
from netscript_workers.ports.transactional import Transactional

MAX_PAYLOAD_BYTES: Final = 1 << 20
_LONGEST_WAIT_MS: Final = 10_000


class Client:
    """Enqueues and looks after executions: `async with Client("config.toml") as client: …`.

    Without a config it finds one as the command does. The job modules are imported by the first `trigger`, to know the
    targets and the shapes of their payloads. For one event loop; durations are ms, text such as `"30s"`, or timedeltas.
    `engine` and `catalog` take the place of the config's, in tests say; the engine must be open, and stays so.
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
        self._config = None if config is None else Path(config)
        self._given_engine = engine
        self._catalog = catalog
        self._max_payload_bytes = max_payload_bytes
        self._triggered_by = triggered_by
        self._settings: Any = None
        self._engine: Engine | None = None
        self._enqueuer: Enqueuer | None = None
        self._maker: RequestMaker | None = None

    async def open(self) -> None:
        """Read the config and reach the queue. Raises `ConfigError`, `EngineError`. Idempotent; `async with` calls it."""
        if self._engine is not None:
            return
        engine = self._given_engine
        if engine is None:
            from netscript_workers import wiring

            settings = self._load_settings()
            engine = wiring.engine_for(settings, archive=wiring.ArchiveUse.ON_DEMAND)
            await wiring.reach(engine, settings)
        self._engine = engine
        self._enqueuer = Enqueuer(engine)

    async def close(self) -> None:
        """Let what is being enqueued arrive, and let go of the queue. Idempotent; `async with` calls it."""
        engine, enqueuer = self._engine, self._enqueuer
        self._engine = self._enqueuer = None
        try:
            if enqueuer is not None:
                await enqueuer.close()
        finally:
            if engine is not None and self._given_engine is None:
                await engine.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def targets(self) -> Mapping[str, Target]:
        """Return all jobs and tasks by id."""
        return self._known().targets

    async def trigger(  # noqa: PLR0913 - what is given beside the payload is each a word of its own
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
        """Enqueue one run of a job or task; returns once it is stored durably: its id, and whether it was `deduplicated`.

        `payload` is anything whose JSON is an object: a dict, pydantic model, dataclass, Struct; None is `{}`. It is
        checked against the handler's annotation. With a `connection` to the queue's PostgreSQL (of asyncpg, psycopg or
        SQLAlchemy) it is part of the transaction there: it appears with the commit, or never.
        Raises `UnknownTargetError`, `PayloadError`, `UsageError`, `EngineError`.
        """
        enqueuer = self._opened_enqueuer()
        trigger = Trigger(
            id, payload, priority, delay, idempotency_key, correlation_id, traceparent, tracestate
        )
        (request,) = self._request_maker().make_many([trigger])
        if connection is None:
            return await enqueuer.put(request)
        (answer,) = await self._transactional().enqueue_within(connection, [request])
        return answer

    async def trigger_many(
        self,
        what: str | Iterable[Trigger],
        payloads: Iterable[Any] | None = None,
        *,
        priority: int | None = None,
        delay: Duration = 0,
        correlation_id: str | None = None,
        connection: Any = None,
    ) -> list[Enqueued]:
        """Enqueue many: one target's id and its payloads, or `Trigger`s of any targets. Returns one answer each, in order.

        All are checked before the first is enqueued. They go out in batches of a thousand, each all or nothing; an
        `EngineError` in the middle leaves the batches before it enqueued. `connection` as for `trigger`. Raises as that does.
        """
        enqueuer = self._opened_enqueuer()
        requests = self._checked(
            what, payloads, priority=priority, delay=delay, correlation_id=correlation_id
        )
        if connection is None:
            return await enqueuer.put_many(requests)
        return await self._transactional().enqueue_within(connection, requests)

    def _checked(
        self,
        what: str | Iterable[Trigger],
        payloads: Iterable[Any] | None = None,
        *,
        priority: int | None = None,
        delay: Duration = 0,
        correlation_id: str | None = None,
    ) -> list[NewExecution]:
        if isinstance(what, str):
            if payloads is None:
                raise UsageError(f"trigger_many({what!r}) needs the payloads, one for each run")
            triggers = [Trigger(what, payload, priority, delay, None, correlation_id) for payload in payloads]
        else:
            if payloads is not None or priority is not None or delay != 0 or correlation_id is not None:
                raise UsageError("trigger_many of Triggers takes nothing beside them: each says its own")
            triggers = list(what)
            for one in triggers:
                if not isinstance(one, Trigger):
                    raise UsageError(f"trigger_many takes an id and payloads, or Triggers, not {one!r}")
        return self._request_maker().make_many(triggers)

    def _transactional(self) -> Transactional:
        engine = self._opened()
        if not isinstance(engine, Transactional):
            raise UsageError(
                "connection= needs the queue in PostgreSQL (queue_provider = “postgres”): no other can be part of it"
            )
        return engine

    async def get(self, execution_id: str) -> Execution:
        """Return the record of an execution, live or archived; raises `UnknownExecutionError`."""
        (record,) = await self._opened().get_many([execution_id])
        if record is None:
            raise UnknownExecutionError(
                f"there is no execution {execution_id!r}. List them with: workers executions"
            )
        return record

    async def wait(self, execution_id: str, timeout: Duration | None = None) -> Execution:
        """Return the record once the execution has ended, however it ended.

        Raises `WaitTimeoutError` after `timeout` (None: no bound), `UnknownExecutionError`.
        """
        engine = self._opened()
        record = await self.get(execution_id)
        bound = None if timeout is None else delay_ms(timeout, "timeout")
        begun = time.monotonic()
        while record.status not in FINISHED:
            left = _LONGEST_WAIT_MS if bound is None else bound - int((time.monotonic() - begun) * 1000)
            if left <= 0:
                raise WaitTimeoutError(
                    f"execution {execution_id} is still {record.status} after {bound} ms; it goes on"
                )
            ended = await engine.wait_for_end([execution_id], min(left, _LONGEST_WAIT_MS))
            record = ended[0] if ended else await self.get(execution_id)
        return record

    async def cancel(self, execution_id: str) -> Status:
        """Cancel an execution; one that runs is asked to stop and ends soon after. Returns the status it was met in.

        Raises `UnknownExecutionError`, or `IllegalMoveError` when it has ended already.
        """
        (met,) = await self._opened().cancel_many([execution_id])
        if met.before is None:
            raise UnknownExecutionError(f"there is no execution {execution_id!r}")
        if met.before in FINISHED:
            raise IllegalMoveError(f"execution {execution_id} has ended already: {met.before}")
        return met.before

    async def retry(self, execution_id: str) -> None:
        """Run the same execution again, its attempts anew.

        Raises `UnknownExecutionError`, or `IllegalMoveError` when it has not ended yet.
        """
        (done,) = await self._opened().retry_many([execution_id])
        if not done:
            record = await self.get(execution_id)
            raise IllegalMoveError(
                f"execution {execution_id} is {record.status}: only an ended one can be retried"
            )

    async def executions(
        self,
        *,
        job: str | None = None,
        topic: str | None = None,
        status: Status | str | None = None,
        correlation_id: str | None = None,
        limit: int | None = 20,
    ) -> list[Execution]:
        """Return records, newest first, of which all that is given holds; `job` is a task's id too, `limit` None is all."""
        try:
            wanted = None if status is None else Status(status)
        except ValueError:
            raise UsageError(f"status must be one of {', '.join(Status)}, not {status!r}") from None
        if limit is not None and limit < 1:
            raise UsageError(f"limit must be at least 1, or None for all, not {limit!r}")
        return await self._opened().find(
            HistoryQuery(target=job, topic=topic, status=wanted, correlation_id=correlation_id, limit=limit)
        )

    async def logs(self, execution_id: str) -> list[LogLine]:
        """Return the kept log lines of an execution, in order; raises `UnknownExecutionError`."""
        engine = self._opened()
        await self.get(execution_id)
        return [line for _, line in await engine.logs(execution_id)]

    def _load_settings(self) -> Any:
        if self._settings is None:
            from netscript_workers import config
            from netscript_workers.wiring.project import refusal

            loaded = config.load(config.LoadOptions(path=self._config, environ=os.environ))
            if loaded.settings is None:
                raise ConfigError(refusal("the configuration cannot be used", loaded.problems))
            self._settings = loaded.settings
        return self._settings

    def _known(self) -> Catalog:
        if self._catalog is None:
            from netscript_workers import wiring

            self._catalog = wiring.scan_catalog(self._load_settings())
        return self._catalog

    def _request_maker(self) -> RequestMaker:
        if self._maker is None:
            limit = self._max_payload_bytes
            if limit is None:
                given = self._given_engine is not None and self._catalog is not None
                limit = MAX_PAYLOAD_BYTES if given else self._load_settings().max_payload_bytes
            self._maker = RequestMaker(self._known(), limit, self._triggered_by)
        return self._maker

    def _opened(self) -> Engine:
        if self._engine is None:
            raise UsageError("this client is not open: use it in `async with Client(…) as client:`")
        return self._engine

    def _opened_enqueuer(self) -> Enqueuer:
        self._opened()
        assert self._enqueuer is not None  # noqa: S101 - opened and closed together with the engine
        return self._enqueuer
