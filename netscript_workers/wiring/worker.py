"""The line and its parts, put together over an engine."""

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from netscript_workers.catalog import Catalog, LiveCatalog
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.target import Mode, ProgramMode
from netscript_workers.ports.queue_admin import WorkerInfo
from netscript_workers.ports.runner import Runner, SlotReport
from netscript_workers.ports.service import Service
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.journal import Journal
from netscript_workers.worker.leases import Leases, LeaseTerms
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.service import WorkerParts, WorkerService
from netscript_workers.worker.settler import Settler

if TYPE_CHECKING:
    from netscript_workers.ports.engine import Engine
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
) -> WorkerAssembly:
    """Put the line together over an engine; nothing runs before its services are started."""
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
    places = tuple(RunnerService(f"{mode.value} runner", runner) for mode, runner in runners.items())
    return WorkerAssembly(
        worker, settler, leases, (settler, journal, leases, *places), runners, faults, outages
    )


def runners_for(project: "Project") -> dict[Mode, Runner]:
    """Return a runner for each mode that some target uses, with one zygote among those that fork."""
    from netscript_workers.runners.fleet import build_runners
    from netscript_workers.wiring.confinement import sandbox_for
    from netscript_workers.wiring.programs import task_commands

    settings, catalog = project.settings, project.catalog
    modes = {target.mode for target in catalog.targets.values()} or {settings.runtime}
    has_tasks = ProgramMode.PROGRAM in modes
    return build_runners(
        modes={*modes, ProgramMode.PROGRAM},  # the runtime directory may bring tasks at any time
        handlers=catalog.handler_refs(),
        root=str(settings.jobs_dir),
        max_jobs_per_slot=settings.max_jobs_per_slot,
        max_slot_memory_mb=settings.max_slot_memory_mb,
        commands=task_commands(project),
        sandbox=sandbox_for(settings),
        has_tasks=has_tasks,
    )


def worker_name(environ: Mapping[str, str]) -> str:
    """Return `WORKER_ID`, or a name from host, process and moment that no other worker has."""
    return (
        environ.get("WORKER_ID")
        or f"{socket.gethostname()}-{os.getpid()}-{time.time_ns() % 1_000_000_000:09d}"
    )


def describe_worker(assembly: WorkerAssembly, worker_id: str, role: str, started_at: int) -> WorkerInfo:
    """Say what a worker's announcement says now."""
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
    )
