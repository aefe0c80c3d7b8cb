"""A whole line over the memory engine, with handlers that are plain async functions of the test."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

from netscript_workers.domain.execution import Execution, NewExecution, Status
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.outcome import Outcome, succeeded
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import Concept, RunnerMode, Source, Target
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.ports.runner import Runner, SlotReport
from netscript_workers.wiring.worker import SystemClock
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.journal import Journal
from netscript_workers.worker.leases import Leases, LeaseTerms
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.service import WorkerParts, WorkerService
from netscript_workers.worker.settler import Settler

PATIENCE_S = 20.0
Handler = Callable[[Execution, object], Awaitable[Outcome]]


def target(target_id: str, **fields: object) -> Target:
    defaults = {"runtime": RunnerMode.IN_PROCESS, "retry_delay": 0}
    return Target(
        id=target_id, concept=Concept.JOB, source=Source.CONFIG, file="-", path="-", **{**defaults, **fields}
    )


class FunctionRunner:
    """Runs each execution by the test's function of its target's id."""

    def __init__(self, functions: Mapping[str, Handler]) -> None:
        self.functions = functions
        self.running: list[str] = []
        self.most = 0
        self.starts: list[str] = []

    async def start(self) -> None: ...

    async def stop(self, grace_ms: int) -> None: ...

    async def run(self, execution, target, deadline, observer) -> Outcome:
        self.running.append(execution.id)
        self.starts.append(execution.id)
        self.most = max(self.most, len(self.running))
        try:
            return await self.functions[target.id](execution, observer)
        finally:
            self.running.remove(execution.id)

    def slots(self) -> list[SlotReport]:
        return []


class Line:
    """Starts and stops all parts of a worker; `enqueue` and `ended` are what a test needs around it."""

    def __init__(
        self,
        engine=None,
        *,
        lease_ms: int = 30_000,
        worker_id: str = "w1",
        runners: Mapping[RunnerMode, Runner] | None = None,
        **limits: int,
    ) -> None:
        self.runners = runners
        self.engine = engine if engine is not None else MemoryEngine()
        self.targets: dict[str, Target] = {}
        self.functions: dict[str, Handler] = {}
        self.lease_ms = lease_ms
        self.worker_id = worker_id
        self.limits = limits or {"default": 2}
        self.size = sum(self.limits.values())
        self._ids = IdFactory()

    def job(self, target_id: str, **fields: object):
        self.targets[target_id] = target(target_id, **fields)

        def keep(function: Handler) -> Handler:
            self.functions[target_id] = function
            return function

        return keep

    async def __aenter__(self):
        await self.engine.open()
        self.outages, self.faults = Outages(), Faults()
        self.runner = FunctionRunner(self.functions)
        self.settler = Settler(self.engine, self.engine, self.outages, self.faults)
        self.journal = Journal(self.engine, self.outages, self.faults)
        terms = LeaseTerms(worker_id=self.worker_id, lease_ms=self.lease_ms)
        clock = SystemClock()
        self.leases = Leases(self.engine, terms, self.targets, clock, self.settler, self.outages, self.faults)
        self.worker = WorkerService(
            WorkerParts(
                queue=self.engine,
                targets=self.targets,
                runners=self.runners or {RunnerMode.IN_PROCESS: self.runner},
                pool=Pool(self.size, tuple(Lane((t,), n) for t, n in self.limits.items()), "test"),
                terms=terms,
                clock=clock,
                settler=self.settler,
                leases=self.leases,
                journal=self.journal,
                outages=self.outages,
                faults=self.faults,
                nearest=lambda _id: sorted(self.targets),
            )
        )
        for part in (self.settler, self.journal, self.leases, self.worker):
            await part.start()
        return self

    async def __aexit__(self, *_exc: object) -> None:
        await self.stop(0)

    async def stop(self, grace_ms: int) -> None:
        await self.worker.stop(grace_ms)
        for part in (self.leases, self.journal, self.settler):
            await part.stop(5_000)
        await self.engine.close()

    async def enqueue(self, target_id: str, count: int = 1, **fields: object) -> list[str]:
        known = self.targets.get(target_id)
        requests = [
            NewExecution(
                id=self._ids.new(time.time_ns() // 1_000_000),
                concept=Concept.JOB,
                target=target_id,
                **{"max_attempts": known.max_attempts if known else 1, **fields},
            )
            for _ in range(count)
        ]
        return [answer.id for answer in await self.engine.enqueue_many(requests)]

    async def ended(self, *ids: str) -> list[Execution]:
        waiting = set(ids)
        async with asyncio.timeout(PATIENCE_S):
            while waiting:
                done = await self.engine.wait_for_end(list(waiting), 1_000)
                waiting -= {one.id for one in done}
        return [one for one in await self.engine.get_many(list(ids)) if one is not None]

    async def record(self, execution_id: str) -> Execution:
        (one,) = await self.engine.get_many([execution_id])
        assert one is not None
        return one

    async def until(self, holds: Callable[[], bool] | Callable[[], Awaitable[bool]]) -> None:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                answer = holds()
                if (await answer) if asyncio.iscoroutine(answer) else answer:
                    return
                await asyncio.sleep(0.005)

    async def in_status(self, status: Status, *ids: str) -> None:
        async def holds() -> bool:
            return all(one is not None and one.status is status for one in await self.engine.get_many(ids))

        await self.until(holds)


async def no_op(_execution: Execution, _observer: object) -> Outcome:
    return succeeded(b"null")
