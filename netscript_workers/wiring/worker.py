"""The line and its parts, put together over an engine."""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from netscript_workers.catalog import Catalog, LiveCatalog
from netscript_workers.domain.overview import MOST_SLOTS, SlotInfo
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.target import Mode, ProgramMode
from netscript_workers.ports.queue_admin import WorkerInfo
from netscript_workers.ports.runner import Runner, SlotReport
from netscript_workers.ports.service import Service
from netscript_workers.supervisor.link import Place
from netscript_workers.telemetry.pace import Pace
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.journal import Journal
from netscript_workers.worker.leases import Leases, LeaseTerms
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.service import WorkerParts, WorkerService
from netscript_workers.worker.settler import Settler

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine
    from netscript_workers.runners.fleet import FleetPlan
    from netscript_workers.sandbox.kernel_sandbox import KernelSandbox
    from netscript_workers.wiring.project import Project


class SystemClock:
    """This host's clock."""

    def now_ms(self) -> int:
        """Return the milliseconds since 1970, UTC."""
        return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class WorkerAssembly:
    """A worker and the parts it needs running before it and after it, in the order to start them."""

    worker: WorkerService
    settler: Settler
    leases: Leases
    services: tuple[Service, ...]
    runners: Mapping[Mode, Runner]
    faults: Faults
    outages: Outages
    pace: Pace

    def slots(self) -> list[SlotReport]:
        """Tell what every slot is doing."""
        return [report for runner in self.runners.values() for report in runner.slots()]


@dataclass(frozen=True)
class RunnerService:
    """A runner as a service, under its mode's name."""

    name: str
    runner: Runner

    async def start(self) -> None:
        """Start the runner."""
        await self.runner.start()

    async def stop(self, grace_ms: int) -> None:
        """Stop the runner."""
        await self.runner.stop(grace_ms)


def assemble_worker(
    engine: "Engine",
    catalog: Catalog | LiveCatalog,
    runners: Mapping[Mode, Runner],
    pool: Pool,
    terms: LeaseTerms,
    fleet: Service | None = None,
) -> WorkerAssembly:
    """Put the line together over an engine; nothing runs before its services are started.

    `fleet` starts and stops the runners; without it each is a service of its own.
    """
    outages, faults, clock = Outages(), Faults(), SystemClock()
    settler = Settler(engine, engine, outages, faults)
    journal = Journal(engine, outages, faults)
    leases = Leases(engine, terms, catalog.targets, clock, settler, outages, faults)
    worker = WorkerService(
        WorkerParts(
            queue=engine,
            targets=catalog.targets,
            runners=runners,
            pool=pool,
            terms=terms,
            clock=clock,
            settler=settler,
            leases=leases,
            journal=journal,
            outages=outages,
            faults=faults,
            nearest=catalog.nearest,
        )
    )
    places: tuple[Service, ...] = (
        tuple(RunnerService(f"{mode.value} runner", runner) for mode, runner in runners.items())
        if fleet is None
        else (fleet,)
    )
    pace = Pace()
    worker.observe = leases.observe = pace.observe
    return WorkerAssembly(
        worker, settler, leases, (settler, journal, leases, *places), runners, faults, outages, pace
    )


def runners_for(project: "Project", target_id: str | None = None) -> dict[Mode, Runner]:
    """Return a runner for each mode that some target uses, with one zygote among those that fork.

    With `target_id` the jobs with permissions are those only that share a process with this one.
    """
    from netscript_workers.runners.fleet import Fleet

    plan = fleet_plan(project, sandbox_of(project))
    if target_id is not None:
        granted = [jobs for jobs in plan.granted if target_id in jobs.ids]
        plan = msgspec.structs.replace(plan, granted=granted)
    return Fleet(plan).runners


def sandbox_of(project: "Project") -> "KernelSandbox":
    """Return the sandbox of the tasks of `project`."""
    from netscript_workers.wiring.confinement import sandbox_for

    return sandbox_for(project.settings)


def fleet_plan(project: "Project", sandbox: "KernelSandbox") -> "FleetPlan":
    """Return what the runners of `project` are made from."""
    from netscript_workers.runners.fleet import FleetPlan
    from netscript_workers.wiring.confinement import granted_jobs
    from netscript_workers.wiring.programs import task_commands

    settings, catalog = project.settings, project.catalog
    granted = granted_jobs(project)
    confined = {id for jobs in granted for id in jobs.ids}
    modes = {target.mode for target in catalog.targets.values()} or {settings.runtime}
    return FleetPlan(
        modes={*modes, ProgramMode.PROGRAM},  # the runtime directory may bring tasks at any time
        handlers=[ref for ref in catalog.handler_refs() if ref.target_id not in confined],
        root=str(settings.jobs_dir),
        max_jobs_per_slot=settings.max_jobs_per_slot,
        max_slot_memory_mb=settings.max_slot_memory_mb,
        commands=task_commands(project),
        sandbox=sandbox,
        has_tasks=ProgramMode.PROGRAM in modes,
        granted=granted,
    )


def state_of(assembly: WorkerAssembly) -> str:
    """Write the status line of a worker: what its slots do, and what it cannot do now."""
    lanes, degraded = assembly.worker.lanes, assembly.outages.degraded
    slots = f"{lanes.busy} of {lanes.size} slots busy"
    if degraded is not None:
        return f"{slots}; degraded: {degraded}"
    return slots if assembly.worker.claiming else f"{slots}; claiming nothing"


def worker_name(environ: Mapping[str, str]) -> str:
    """Return `WORKER_ID`, or a name from host, process and moment that no other worker has."""
    return (
        environ.get("WORKER_ID")
        or f"{socket.gethostname()}-{os.getpid()}-{time.time_ns() % 1_000_000_000:09d}"
    )


def describe_worker(
    assembly: WorkerAssembly, worker_id: str, role: str, started_at: int, place: Place | None = None
) -> WorkerInfo:
    """Say what a worker's announcement says now; `place` is its place in the tree of a supervisor."""
    lanes = assembly.worker.lanes
    now = time.time_ns() // 1_000_000
    return WorkerInfo(
        id=worker_id,
        host=socket.gethostname(),
        pid=os.getpid(),
        role=role,
        topics=lanes.topics,
        slots_total=lanes.size,
        slots_busy=lanes.busy,
        started_at=started_at,
        last_seen_at=now,
        slots=tuple(
            SlotInfo(mode=slot.mode, pid=slot.pid, execution_id=slot.execution_id, memory=slot.memory)
            for slot in assembly.slots()[:MOST_SLOTS]
        ),
        supervisor=place.supervisor if place is not None else None,
        restarts=place.restarts if place is not None else 0,
        ended=assembly.pace.rates(),
    )
