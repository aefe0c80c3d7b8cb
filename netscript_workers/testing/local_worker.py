"""A queue in memory and the worker on it, in the test's own event loop."""

import asyncio
import os
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import msgspec

from netscript_workers.catalog import Catalog
from netscript_workers.client import Client, Trigger
from netscript_workers.client.requests import Duration, delay_ms
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import Limits, RunnerMode, Target
from netscript_workers.errors import UsageError, WaitTimeoutError
from netscript_workers.testing.handlers import catalog_of, project_catalog
from netscript_workers.testing.local_runner import LocalRunner

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine

_GRACE_MS: Final = 5_000
_LEASE_MS: Final = 30_000


class LocalWorker(Client):
    """A client whose queue is in memory, with a worker that runs when it is told to: `drain()`.

    `async with LocalWorker(process_payment, …) as worker: await worker.trigger(…); await worker.drain()`.
    Takes job functions, or a project's `config`, whose targets are used with their own options. Everything
    runs in this process, whatever the runner mode; retries come without their delay unless `retry_delays` is
    true. `advance` moves the queue's clock.
    """

    def __init__(
        self,
        *jobs: Callable[..., Any],
        config: str | os.PathLike[str] | None = None,
        concurrency: int = 4,
        retry_delays: bool = False,
        max_payload_bytes: int | None = None,
    ) -> None:
        from netscript_workers.engines.memory import MemoryEngine

        if bool(jobs) == (config is not None):
            raise UsageError("LocalWorker takes either job functions or config=…")
        self._ahead_ms = 0
        self._concurrency = concurrency
        self.engine: Engine = MemoryEngine(self._now_ms)
        if config is not None:
            catalog, max_payload = project_catalog(Path(config))
        else:
            catalog, max_payload = catalog_of(jobs), None
        self.catalog: Catalog = _here(catalog, retry_delays=retry_delays)
        super().__init__(
            engine=self.engine, catalog=self.catalog, max_payload_bytes=max_payload_bytes or max_payload
        )

    def advance(self, duration: Duration) -> None:
        """Move the queue's clock forward (ms, text, timedelta), so that what was delayed becomes due."""
        self._ahead_ms += delay_ms(duration, "duration")

    async def drain(self, timeout: Duration = "30s") -> list[Execution]:
        """Run what is due until nothing is left, retries included; return the records of all executions, oldest first.

        Raises `WaitTimeoutError` when that takes longer than `timeout`; what runs then is interrupted.
        """
        from netscript_workers.wiring import assemble_worker
        from netscript_workers.worker.drain import drained
        from netscript_workers.worker.leases import LeaseTerms

        engine = self._opened()
        bound = delay_ms(timeout, "timeout")
        runner = LocalRunner(self.catalog.handlers)
        assembly = assemble_worker(
            engine,
            self.catalog,
            {RunnerMode.IN_PROCESS: runner},
            _pool(self.catalog, self._concurrency),
            LeaseTerms(worker_id="local-worker", lease_ms=_LEASE_MS),
        )
        services = (*assembly.services, assembly.worker)
        grace = _GRACE_MS
        assembly.worker.track_retries()  # before the first run, whose retry this drain waits for
        try:
            for service in services:
                await service.start()
            done = asyncio.ensure_future(drained(assembly.worker, assembly.settler, engine, assembly.outages))
            fault = asyncio.ensure_future(assembly.faults.wait())
            try:
                await asyncio.wait({done, fault}, timeout=bound / 1000, return_when=asyncio.FIRST_COMPLETED)
                if fault.done():
                    raise fault.result()
                if not done.done():
                    grace = 0
                    raise WaitTimeoutError(f"the queue was not empty after {bound} ms; see what still runs")
                done.result()
            finally:
                for task in (done, fault):
                    task.cancel()
                await asyncio.wait({done, fault})
        finally:
            for service in reversed(services):
                await service.stop(grace)
        return list(reversed(await self.executions(limit=None)))

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
        await self.engine.close()

    def _now_ms(self) -> int:
        return time.time_ns() // 1_000_000 + self._ahead_ms


def drain(
    *jobs: Callable[..., Any],
    triggers: Iterable[Trigger],
    config: str | os.PathLike[str] | None = None,
    timeout: Duration = "30s",
) -> list[Execution]:
    """Enqueue `triggers`, work the queue off and return the records, oldest first: `LocalWorker` without an event loop."""

    async def work() -> list[Execution]:
        async with LocalWorker(*jobs, config=config) as worker:
            await worker.trigger_many(triggers)
            return await worker.drain(timeout)

    return asyncio.run(work())


def _here(catalog: Catalog, *, retry_delays: bool) -> Catalog:
    """Let every target run in this process, where nothing can hold it to permissions or limits."""

    def here(target: Target) -> Target:
        delay = target.retry_delay if retry_delays else 0
        return msgspec.structs.replace(
            target, runtime=RunnerMode.IN_PROCESS, retry_delay=delay, permissions=None, limits=Limits()
        )

    targets: Mapping[str, Target] = {id: here(target) for id, target in catalog.targets.items()}
    return Catalog(targets, catalog.problems, catalog.handlers)


def _pool(catalog: Catalog, concurrency: int) -> Pool:
    topics = tuple(sorted({"default", *(target.topic for target in catalog.targets.values())}))
    return Pool(concurrency, (Lane(topics, concurrency),), "as many as the test asked for")
