"""The parts of a daemon, put together: one that runs (and schedules, if it is `combined`), or one that only schedules."""

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from netscript_workers import config
from netscript_workers.catalog import LiveCatalog
from netscript_workers.domain.message import Terms
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.problem import Problem
from netscript_workers.ports.engine import Engine
from netscript_workers.ports.tables import Upkeep
from netscript_workers.retention import Sweeper
from netscript_workers.runners.fleet import Fleet
from netscript_workers.scheduler.timetable import schedules_of
from netscript_workers.supervisor.daemon import Daemon, DaemonParts
from netscript_workers.supervisor.notices import Notices
from netscript_workers.wiring.engine import engine_for
from netscript_workers.wiring.greeting import greeting_of
from netscript_workers.wiring.observing import Observatory
from netscript_workers.wiring.project import Project
from netscript_workers.wiring.reaching import reach
from netscript_workers.wiring.reload import OfWorker, Reloadable, Reloader
from netscript_workers.wiring.runtime_watch import RuntimeWatch
from netscript_workers.wiring.scheduling import (
    SCHEDULING,
    describe_scheduler,
    scheduler_over,
    state_of_scheduler,
)
from netscript_workers.wiring.source_watch import SourceWatch
from netscript_workers.wiring.worker import (
    assemble_worker,
    describe_worker,
    fleet_plan,
    sandbox_of,
    state_of,
    worker_name,
)
from netscript_workers.worker.drain import drained
from netscript_workers.worker.faults import Faults
from netscript_workers.worker.leases import LeaseTerms
from netscript_workers.worker.outage import Outages
from netscript_workers.worker.presence import Presence

if TYPE_CHECKING:
    import logging
    from typing import TextIO

    from netscript_workers.ports.service import Service

COMBINED: Final = "combined"
SCHEDULER: Final = "scheduler"
_MOVES: Final = ("claim work", "settle executions")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What daemon is wanted, of what.

    `migrate` false leaves a database's tables as they are, `watch` reloads by itself. `cannot_do` says what of settings this
    version lacks, `pool_of` how many slots a project has.
    """

    project: Project
    role: str
    drain: bool
    migrate: bool
    watch: bool
    notices: Notices
    observatory: Observatory
    log_handler: "logging.StreamHandler[TextIO]"
    cannot_do: Callable[[config.Settings], list[Problem]]
    pool_of: Callable[[Project], Pool]


def assembled(order: Order) -> Daemon:
    """Return the daemon that was ordered; nothing of it runs yet."""
    return _scheduler_alone(order) if order.role == SCHEDULER else _with_worker(order)


def _with_worker(order: Order) -> Daemon:
    project, settings = order.project, order.project.settings
    pool, live, name = order.pool_of(project), LiveCatalog(project.catalog), _name(order)
    engine, terms = _engine(order, live)
    sandbox = sandbox_of(project)
    fleet = Fleet(fleet_plan(project, sandbox))
    lease = LeaseTerms(worker_id=name, lease_ms=settings.lease)
    assembly = assemble_worker(engine, live, fleet.runners, pool, lease, fleet)
    live.listeners.append(assembly.worker.targets_changed)
    order.observatory.watch(engine, assembly)
    if order.drain:
        assembly.worker.track_retries()  # before the first run, whose retry a drain waits for
    describe = partial(describe_worker, assembly, name, order.role, _now(), order.notices.place)
    stalled = partial(assembly.outages.stalled_s, *_MOVES)
    order.notices.describe(partial(state_of, assembly), stalled)
    watch = RuntimeWatch(settings, project.base, live, _topics(pool), assembly.faults)
    services: list[Service] = [
        *assembly.services,
        watch,
        Presence(engine, describe, assembly.outages, assembly.faults),
        Sweeper(engine),
    ]
    if (
        order.role == COMBINED and not order.drain
    ):  # a drain ends when the queue is empty: it must not be filled meanwhile
        scheduler = scheduler_over(engine, live.targets, assembly.outages, assembly.faults)
        live.listeners.append(scheduler.targets_changed)
        services.append(scheduler)
        order.observatory.lag_ms = scheduler.lag

    def changed(new: config.Settings) -> None:
        daemon.shutdown_timeout = new.shutdown_timeout

    of_worker = OfWorker(
        pool=pool, terms=terms, assembly=assembly, fleet=fleet, sandbox=sandbox, pool_of=order.pool_of
    )
    reloader = Reloader(
        _reloadable(
            order, live, watch, assembly.faults, changed, of_worker, lambda one: _topics(order.pool_of(one))
        )
    )
    source_watch = [SourceWatch(reloader, project, assembly.faults)] if order.watch else []
    daemon = Daemon(
        DaemonParts(
            engine=engine,
            reach=partial(reach, engine, settings),
            line=assembly.worker,
            services=services,
            late=(reloader, *source_watch),
            reload=reloader.ask,
            slots=assembly.slots,
            fault=assembly.faults.wait,
            drained=partial(drained, assembly.worker, assembly.settler, engine, assembly.outages)
            if order.drain
            else None,
            connect_timeout=settings.connect_timeout,
            shutdown_timeout=settings.shutdown_timeout,
            greeting=greeting_of(project, pool, name),
            notices=order.notices,
        )
    )
    return daemon


def _scheduler_alone(order: Order) -> Daemon:
    project, settings = order.project, order.project.settings
    live, name, outages, faults = LiveCatalog(project.catalog), _name(order), Outages(), Faults()
    engine, _ = _engine(order, live)
    scheduler = scheduler_over(engine, live.targets, outages, faults)
    live.listeners.append(scheduler.targets_changed)
    order.observatory.watch_scheduler(engine, outages, faults, scheduler.lag)
    describe = partial(describe_scheduler, name, _now(), outages, order.notices.place)
    order.notices.describe(
        partial(state_of_scheduler, scheduler, outages), partial(outages.stalled_s, *SCHEDULING)
    )
    watch = RuntimeWatch(settings, project.base, live, _all_topics(project), faults)

    def changed(new: config.Settings) -> None:
        daemon.shutdown_timeout = new.shutdown_timeout

    reloader = Reloader(_reloadable(order, live, watch, faults, changed, None, _all_topics))
    count = len(schedules_of(project.targets.values()))
    daemon = Daemon(
        DaemonParts(
            engine=engine,
            reach=partial(reach, engine, settings),
            line=scheduler,
            services=(watch, Presence(engine, describe, outages, faults)),
            late=(reloader,),
            reload=reloader.ask,
            slots=list,
            fault=faults.wait,
            drained=None,
            connect_timeout=settings.connect_timeout,
            shutdown_timeout=settings.shutdown_timeout,
            greeting=f"scheduler {name} is up: {count} schedule{'s' if count != 1 else ''}",
            notices=order.notices,
        )
    )
    return daemon


def _reloadable(
    order: Order,
    live: LiveCatalog,
    watch: RuntimeWatch,
    faults: Faults,
    changed: Callable[[config.Settings], None],
    worker: OfWorker | None,
    topics_of: Callable[[Project], frozenset[str]],
) -> Reloadable:
    return Reloadable(
        project=order.project,
        live=live,
        worker=worker,
        watch=watch,
        faults=faults,
        log_handler=order.log_handler,
        topics_of=topics_of,
        cannot_do=order.cannot_do,
        changed=changed,
        around=order.notices.reload,
    )


def _engine(order: Order, live: LiveCatalog) -> tuple[Engine, Terms]:
    settings = order.project.settings
    terms = Terms(find=live.targets.get, max_payload_bytes=settings.max_payload_bytes)
    return engine_for(settings, terms, upkeep=Upkeep.UPGRADE if order.migrate else Upkeep.LEAVE), terms


def _name(order: Order) -> str:
    return worker_name(order.project.options.environ)


def _topics(pool: Pool) -> frozenset[str]:
    return frozenset(topic for lane in pool.lanes for topic in lane.topics)


def _all_topics(project: Project) -> frozenset[str]:
    return frozenset(target.topic for target in project.targets.values())


def _now() -> int:
    return time.time_ns() // 1_000_000
