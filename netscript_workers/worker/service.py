"""The worker: claims for free slots, starts attempts, and lets go in good order."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

import msgspec

from netscript_workers.domain.execution import Execution
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.domain.target import Mode, Target
from netscript_workers.errors import EngineError
from netscript_workers.ports.clock import Clock
from netscript_workers.ports.queue import ClaimRequest, Queue
from netscript_workers.ports.runner import Runner
from netscript_workers.worker.attempt import Attempt, Workshop
from netscript_workers.worker.faults import Faults, end
from netscript_workers.worker.journal import Journal
from netscript_workers.worker.lane import Demand
from netscript_workers.worker.lanes import Lanes
from netscript_workers.worker.leases import Leases, LeaseTerms
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.settler import Settler
from netscript_workers.worker.starter import Starter
from netscript_workers.worker.stop import Stop
from netscript_workers.worker.workplace import chaining_of, limits_of

WAIT_MS: Final = 30_000
BLIND_WAIT_MS: Final = 1_000
INTERRUPT_BOUND_MS: Final = 15_000
CLAIM_BOUND_MS: Final = 10_000
CANCEL_BOUND_S: Final = 5.0

log = logging.getLogger("netscript_workers.worker")


class WorkerParts(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker is made of. `terms` names it and its leases; `nearest` finds ids like an unknown one."""

    queue: Queue
    targets: Mapping[str, Target]
    runners: Mapping[Mode, Runner]
    pool: Pool
    terms: LeaseTerms
    clock: Clock
    settler: Settler
    leases: Leases
    journal: Journal
    outages: Outages
    faults: Faults
    nearest: Callable[[str], Sequence[str]]


class WorkerService:
    """Claims, starts, and hands over. A `Service`."""

    name = "worker"

    def __init__(self, parts: WorkerParts) -> None:
        """Assemble the line; nothing is claimed before `start`."""
        self._parts = parts
        self._chaining = chaining_of(parts.runners)
        self.lanes = Lanes(parts.pool)
        self._limits = limits_of(parts.targets)
        self._workshop = Workshop(
            targets=parts.targets,
            runners=parts.runners,
            chaining=self._chaining,
            clock=parts.clock,
            settle=parts.settler.put,
            report=parts.journal.report,
            ended=self._ended,
            nearest=parts.nearest,
            fault=parts.faults.report,
        )
        parts.settler.more_soon = lambda: self.lanes.held > 0
        parts.leases.cancel_unstarted = self._cancel_unstarted
        parts.leases.lose_unstarted = self._lose_unstarted
        self._room = asyncio.Event()
        parts.settler.written = self._room.set
        self._quiet = asyncio.Event()
        self._quiet.set()
        self._open = asyncio.Event()  # claiming is allowed
        self._task: asyncio.Task[None] | None = None
        self._call: asyncio.Task[None] | None = None  # the engine's word of work, waited for
        self._awaited = frozenset[str]()
        self._is_blind = False  # it fails at the moment, and is tried again beside the claims
        self._stopping = False
        self._starter = Starter(self.lanes, parts.leases, self._workshop)
        self.retrying: set[str] | None = None  # kept only for a drain: see `track_retries`
        self.observe: Callable[[Execution, Settlement], None] | None = None  # told of each settled run

    # ------------------------------------------------------------------ life

    async def start(self) -> None:
        """Begin to claim."""
        if self._task is None:
            self._open.set()
            self._task = self._parts.faults.spawn(self._claim_and_start(), "claim loop")

    async def stop(self, grace_ms: int) -> None:
        """Stop claiming, give back what has not started, let runs finish for `grace_ms`, then interrupt and give back."""
        task, self._task = self._task, None
        if task is not None:
            await self._end_claiming(task)
        self._starter.give_back_unstarted()
        if not self._quiet.is_set():
            log.info("draining: %d runs have up to %.1f s to finish", self.lanes.busy, grace_ms / 1000)
            try:
                await asyncio.wait_for(self._quiet.wait(), grace_ms / 1000)
            except TimeoutError:
                await self.interrupt()

    async def _end_claiming(self, task: asyncio.Task[None]) -> None:
        # A claim on its way is waited for: cancelled, its executions would be ours without our knowing of them.
        self._stopping = True
        self._open.set()
        self._room.set()
        await asyncio.wait({task}, timeout=CLAIM_BOUND_MS / 1000)
        await end(task)

    async def interrupt(self) -> None:
        """End every run now and give its execution back to the queue; bounded by what a runner needs to kill."""
        running = [attempt for attempt in self._parts.leases.attempts if attempt.is_under_way]
        if running:
            log.warning("interrupting %d runs; they go back to the queue", len(running))
        for attempt in running:
            attempt.stop(Stop.SHUTDOWN)
        try:
            await asyncio.wait_for(self._quiet.wait(), INTERRUPT_BOUND_MS / 1000)
        except TimeoutError:
            log.error(  # noqa: TRY400 - the traceback of a timeout says nothing
                "%d runs could not be interrupted within %d ms; their leases will run out",
                self.lanes.busy,
                INTERRUPT_BOUND_MS,
            )

    def targets_changed(self) -> None:
        """Take in that the mapping of targets holds others now; what is under way goes on as it began."""
        self._limits = limits_of(self._parts.targets)

    def give_back_unstarted(self) -> None:
        """Return what has not begun to the queue, so that it begins with what is about to change."""
        self._starter.give_back_unstarted()

    def reconfigure(self, pool: Pool) -> None:
        """Take in another pool, and that targets and runners may have changed, right after `give_back_unstarted`."""
        self.targets_changed()
        self._chaining.clear()
        self._chaining.update(chaining_of(self._parts.runners))
        self.lanes.resize(pool)
        self._room.set()

    def pause(self) -> None:
        """Claim nothing until `resume`; runs go on, what has not started goes back."""
        if self._open.is_set():
            self._open.clear()
            self._starter.give_back_unstarted()

    def resume(self) -> None:
        """Claim again after `pause`."""
        self._open.set()

    def track_retries(self) -> None:
        """Remember from now on which executions wait for a retry of a run made here (`retrying`)."""
        if self.retrying is None:
            self.retrying = set()

    @property
    def claiming(self) -> bool:
        """Tell whether this worker takes work now."""
        return self._task is not None and self._open.is_set()

    # ------------------------------------------------------------------ the loop

    async def _claim_and_start(self) -> None:
        try:
            await self._claim_until_stopped()
        finally:
            await self._end_call()

    async def _claim_until_stopped(self) -> None:
        while not self._stopping:
            await self._open.wait()
            self._room.clear()
            if (
                self._parts.settler.is_behind
            ):  # the store takes no ends of runs: it must not be asked for more
                await self._room.wait()
                continue
            await self._listen()
            demand = self.lanes.demand()
            if demand is None:
                await self._room.wait()
                continue
            claimed = await self._claim(demand)
            if len(claimed) < demand.total:
                self.lanes.came_short(demand, [execution.topic for execution in claimed])
            self._take_in(claimed)
            if 0 < len(claimed) < demand.total:
                await self._starter.let_begin()

    async def _claim(self, demand: Demand) -> list[Execution]:
        terms = self._parts.terms
        request = ClaimRequest(
            worker_id=terms.worker_id,
            lease_ms=terms.lease_ms,
            total=demand.total,
            lanes=demand.lanes,
            target_limits=self._limits,
        )
        try:
            return await self._parts.outages.outlast(
                "claim work", lambda: self._parts.queue.claim_many(request), give_up=lambda: self._stopping
            )
        except EngineError as error:  # only while stopping: there is nothing more to claim for
            log.warning("stopped claiming while the engine failed: %s", error)
            return []

    async def _listen(self) -> None:
        """Take the engine's word of work if it came; where a lane with room ran dry, have it waited for beside the claims."""
        if self._call is not None and self._call.done():
            call, self._call = self._call, None
            call.result()
            self.lanes.wake()
        topics = self.lanes.thirsty_topics
        if not self._awaited.issuperset(topics):
            await self._end_call()
        if topics and self._call is None:
            self._awaited = frozenset(topics)
            self._call = asyncio.create_task(self._engine_call(topics), name="wait for work")
            await asyncio.sleep(0)  # it begins where the last claim has looked, not where the next one will

    async def _end_call(self) -> None:
        call, self._call = self._call, None
        if call is not None and not call.done():
            call.cancel()
            await asyncio.wait({call}, timeout=CANCEL_BOUND_S)

    async def _engine_call(self, topics: Sequence[str]) -> None:
        try:
            await self._parts.outages.outlast("wait for work", lambda: self._told_of_work(topics))
        finally:
            self._is_blind = False
            self._room.set()

    async def _told_of_work(self, topics: Sequence[str]) -> None:
        try:
            # After a failure: soon to know whether it is over.
            bound_ms = BLIND_WAIT_MS if self._is_blind else WAIT_MS
            await self._parts.queue.wait_for_work(topics, bound_ms)
        except EngineError:
            # An engine that cannot tell of work may give some all the same (amqp, its records elsewhere): a claim at each try.
            self._is_blind = True
            self.lanes.wake()
            self._room.set()
            raise

    def _take_in(self, claimed: list[Execution]) -> None:
        if not claimed:
            return
        attempts = [Attempt(execution, self._workshop) for execution in claimed]
        hold = self._parts.leases.hold
        for attempt in attempts:
            hold(attempt)
        if self.retrying:
            self.retrying.difference_update(execution.id for execution in claimed)
        self._quiet.clear()
        for stray in self.lanes.hold(attempts):
            stray.give_back()
        if self._stopping or not self._open.is_set():
            self._starter.give_back_unstarted()
            return
        self._starter.start_ready()

    def _ended(self, attempt: Attempt, settlement: Settlement | None) -> None:
        self._parts.leases.let_go(attempt)
        execution = attempt.execution
        if self.observe is not None and settlement is not None:
            self.observe(execution, settlement)
        if self.retrying is not None and settlement is not None and settlement.action is Action.RETRY:
            self.retrying.add(execution.id)
        self._starter.ended(attempt, wake=execution.target in self._limits)
        self._room.set()
        if not self.lanes.busy and not self.lanes.held:
            self._quiet.set()

    def _lose_unstarted(self, attempt: Attempt) -> None:
        if self.lanes.drop(attempt):
            attempt.lose_unstarted()
        else:
            attempt.stop(Stop.LOST)

    def _cancel_unstarted(self, attempt: Attempt) -> None:
        if self.lanes.drop(attempt):
            attempt.cancel_unstarted()
        else:
            attempt.stop(Stop.CANCEL)
