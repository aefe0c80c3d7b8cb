"""The daemon of `workers combined` and `workers worker`."""

import logging
import sys
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Final

from netscript_workers import config
from netscript_workers.catalog import LiveCatalog
from netscript_workers.domain.message import Terms
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.domain.target import Target
from netscript_workers.errors import ConfigError
from netscript_workers.ports.tables import Upkeep
from netscript_workers.retention import Sweeper
from netscript_workers.supervisor.daemon import EXIT_OK, Daemon, DaemonParts
from netscript_workers.telemetry import logs
from netscript_workers.wiring.engine import engine_for
from netscript_workers.wiring.observing import Observatory
from netscript_workers.wiring.project import Project, sources_of, told
from netscript_workers.wiring.reaching import reach
from netscript_workers.wiring.runtime_watch import RuntimeWatch
from netscript_workers.wiring.worker import assemble_worker, describe_worker, runners_for, worker_name
from netscript_workers.worker.drain import drained
from netscript_workers.worker.leases import LeaseTerms
from netscript_workers.worker.presence import Presence

# How long the loop's thread may hold the interpreter while the engine's thread waits for it. The engine needs it for some
# microseconds after each statement; at Python's 5 ms a busy loop made a transaction of five statements wait 25 ms.
# Measured with no-op runs in-process: 21,000/s at 5 ms, 28,000/s at 0.1 ms.
SWITCH_INTERVAL_S: Final = 0.0001

log = logging.getLogger("netscript_workers.daemon")


class ConfiguredDaemon:
    """A daemon with its log set up and its project told of; `run` may be awaited once."""

    def __init__(self, project: Project, *, role: str, drain: bool, migrate: bool) -> None:
        """Take what `build_daemon` has checked."""
        self._migrate = migrate
        self._project = project
        self._observatory = Observatory(project.settings, role)
        self._role = role
        self._drain = drain

    async def run(self) -> int:
        """Work until told to stop and return the exit status; raises as `Daemon.run` does."""
        settings = self._project.settings
        handler = logs.set_up(settings.log.level.value, settings.log.format.value)
        try:
            if not settings.enabled:
                log.info(
                    "enabled = false: this daemon has nothing to do and ends. Set it to true to run work."
                )
                return EXIT_OK
            self._say_problems()
            self._say_where_records_are()
            sys.setswitchinterval(SWITCH_INTERVAL_S)
            async with self._observatory.listening():
                return await self._assembled().run()
        finally:
            logs.take_down(handler)

    def _say_problems(self) -> None:
        for problem in self._project.problems:
            level = logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING
            log.log(level, "%s", told(problem))

    def _say_where_records_are(self) -> None:
        settings = self._project.settings
        if config.resolve_provider(settings).provider is not config.Provider.AMQP:
            return
        if config.resolve_records(settings).provider is config.Provider.DENO_KV:
            log.warning(
                "the records of the amqp queue are in %s: all its workers and clients must be on this host. "
                "Set connections.redis_url or database_url to share them.",
                settings.connections.deno_kv_path,
            )

    def _assembled(self) -> Daemon:
        project, settings = self._project, self._project.settings
        pool = pool_of(project)
        terms = Terms(find=project.targets.get, max_payload_bytes=settings.max_payload_bytes)
        engine = engine_for(settings, terms, upkeep=Upkeep.UPGRADE if self._migrate else Upkeep.LEAVE)
        name = worker_name(project.options.environ)
        live = LiveCatalog(project.catalog)
        assembly = assemble_worker(
            engine,
            live,
            runners_for(project),
            pool,
            LeaseTerms(worker_id=name, lease_ms=settings.lease),
        )
        self._observatory.watch(engine, assembly)
        if self._drain:
            assembly.worker.track_retries()  # before the first run, whose retry a drain waits for
        describe = partial(describe_worker, assembly, name, self._role, time.time_ns() // 1_000_000)
        watch = RuntimeWatch(
            settings.runtime_dir,
            project.base,
            sources_of(settings),
            live,
            frozenset(topic for lane in pool.lanes for topic in lane.topics),
            assembly.worker.targets_changed,
            partial(_cannot_do, settings),
            assembly.faults,
        )
        presence = Presence(engine, describe, assembly.outages, assembly.faults)
        return Daemon(
            DaemonParts(
                engine=engine,
                reach=partial(reach, engine, settings),
                line=assembly.worker,
                services=(*assembly.services, watch, presence, Sweeper(engine)),
                slots=assembly.slots,
                fault=assembly.faults.wait,
                drained=partial(drained, assembly.worker, assembly.settler, engine, assembly.outages)
                if self._drain
                else None,
                connect_timeout=settings.connect_timeout,
                shutdown_timeout=settings.shutdown_timeout,
                greeting=_greeting(project, pool, name),
            )
        )


def build_daemon(
    project: Project, *, role: str, drain: bool = False, migrate: bool = True
) -> ConfiguredDaemon:
    """Return the daemon of `project`; `role` is what `status` shows, `migrate` false leaves a database's tables as they are.

    Raises `ConfigError` (78) when the configuration needs what this version cannot do: nothing is accepted and ignored.
    """
    if project.settings.enabled:
        missing = _cannot_do(project.settings, project.targets)
        if missing:
            lines = "\n".join(f"  {told(problem)}" for problem in missing)
            raise ConfigError(f"this version cannot do what the configuration asks for:\n{lines}")
    return ConfiguredDaemon(project, role=role, drain=drain, migrate=migrate)


def _cannot_do(settings: config.Settings, targets: Mapping[str, Target]) -> list[Problem]:
    return [one for one in config.unavailable(settings, targets) if one.code in config.REFUSED_BY_DAEMON]


def pool_of(project: Project) -> Pool:
    """Apply the pool-size rule to `project` (SPEC section 4)."""
    return config.pool_for(project.loaded, project.settings, project.targets)


_NOTHING: Final = "no job and no task yet; `workers add job NAME` makes one"


def _greeting(project: Project, pool: Pool, name: str) -> str:
    concepts = Counter(target.concept for target in project.targets.values() if target.enabled)
    counts = [
        f"{count} {concept.value}{'s' if count != 1 else ''}" for concept, count in sorted(concepts.items())
    ]
    lanes = ", ".join(f"{'+'.join(lane.topics)} ({lane.limit})" for lane in pool.lanes)
    what = ", ".join(counts) or _NOTHING
    return f"worker {name} is up: {what}; {pool.size} slots; topics {lanes}; runtime {project.settings.runtime.value}"
