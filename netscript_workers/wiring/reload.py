"""Reload: takes the configuration and the code on disk into a running daemon, whole or not at all (SPEC section 12).

What may fail comes first and beside the runs: the modules are imported in a process of its own, the configuration is read, a new
zygote is started. Then everything is exchanged in one step of the loop, in which nothing can fail or wait.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from netscript_workers import config
from netscript_workers.catalog import Catalog, LiveCatalog
from netscript_workers.catalog.codes import BAD_DEFINITION, IMPORT_FAILED, NOTHING_TO_RUN
from netscript_workers.domain.message import Terms
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.errors import ConfigError, SlotError
from netscript_workers.telemetry import logs
from netscript_workers.wiring import changes
from netscript_workers.wiring.confinement import strictness_of
from netscript_workers.wiring.project import Project, with_runtime
from netscript_workers.wiring.runtime_watch import RuntimeWatch
from netscript_workers.wiring.scan_process import Answer, Request, scan_elsewhere
from netscript_workers.wiring.telling import told
from netscript_workers.wiring.worker import WorkerAssembly, fleet_plan
from netscript_workers.worker.faults import Faults, end

if TYPE_CHECKING:
    from typing import TextIO

    from netscript_workers.runners.fleet import Fleet, Renewal
    from netscript_workers.sandbox.kernel_sandbox import KernelSandbox

# A module that is broken is reported and the rest is loaded (SPEC section 6); its targets stay known, so that their runs fail
# with that reason and are retried, instead of being dead letters for an unknown id.
OF_MODULES: frozenset[str] = frozenset({IMPORT_FAILED, NOTHING_TO_RUN, BAD_DEFINITION})

log = logging.getLogger("netscript_workers.reload")


class OfWorker(msgspec.Struct, kw_only=True):
    """What a reload exchanges of a worker; `pool_of` is that of the start."""

    pool: Pool
    terms: Terms
    assembly: WorkerAssembly
    fleet: "Fleet"
    sandbox: "KernelSandbox"
    pool_of: Callable[[Project], Pool]


class Reloadable(msgspec.Struct, kw_only=True):
    """What a reload exchanges, and what it asks. `worker` is None in a process that only schedules.

    `topics_of` says what the process serves, `cannot_do` is that of the start; `changed` is told of the new settings; `around` is
    called with True before each reload and with False after it, taken or refused: systemd is to be told of both.
    """

    project: Project
    live: LiveCatalog
    worker: OfWorker | None
    watch: RuntimeWatch
    faults: Faults
    log_handler: "logging.StreamHandler[TextIO]"
    topics_of: Callable[[Project], frozenset[str]]
    cannot_do: Callable[[config.Settings], list[Problem]]
    changed: Callable[[config.Settings], None]
    around: Callable[[bool], None]


class Reloader:
    """Reloads when asked, one after the other; what is asked meanwhile is one more. A `Service`: stop it before the worker."""

    name = "reload"

    def __init__(self, parts: Reloadable) -> None:
        """Reload nothing before `start`."""
        self._parts = parts
        self._asked: list[str] = []
        self._work = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def settings(self) -> config.Settings:
        """The settings in force."""
        return self._parts.project.settings

    def ask(self, why: str) -> None:
        """Reload soon; never waits. `why` is for the log."""
        if why not in self._asked:
            self._asked.append(why)
        self._work.set()

    async def start(self) -> None:
        """Begin to listen."""
        if self._task is None:
            self._task = self._parts.faults.spawn(self._reload_when_asked(), self.name)

    async def stop(self, grace_ms: int) -> None:
        """Reload no more; one under way that has not been applied is given up."""
        task, self._task = self._task, None
        await end(task, grace_ms)

    async def _reload_when_asked(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            asked, self._asked = self._asked, []
            log.info("reloading: %s", "; ".join(asked))
            self._parts.around(True)  # noqa: FBT003 - the two ends of one hook
            try:
                await self._reload()
            finally:
                self._parts.around(False)  # noqa: FBT003 - as above

    async def _reload(self) -> None:
        parts = self._parts
        try:
            project, waits = await self._read()
            worker = parts.worker
            renewal = (
                await worker.fleet.prepare(fleet_plan(project, worker.sandbox))
                if worker is not None
                else None
            )
        except (ConfigError, SlotError) as error:
            log.error("%s", error)  # noqa: TRY400 - it says itself what is wrong and where
            log.error("nothing was reloaded: the configuration and the code from before stay in force")  # noqa: TRY400
            return
        except Exception:
            # A fault in what comes before the exchange must not end a daemon that works.
            log.exception("a reload broke before anything was exchanged; please report this")
            return
        self._take(project, renewal)
        for one in waits:
            log.warning("%s waits for a restart; the value from before stays in force", one)

    async def _read(self) -> tuple[Project, list[str]]:
        """Return the project on disk, and what of it waits for a restart; raises `ConfigError` when it cannot be taken."""
        running = self._parts.project
        options = running.options
        answer = await scan_elsewhere(
            Request(
                options=options,
                running=dict(self._parts.live.targets),
                sandbox=running.settings.sandbox.value,
            )
        )
        _refuse("the new configuration cannot be used", answer.broken)
        loaded = await asyncio.to_thread(config.load, options)
        if loaded.settings is None:  # changed in this moment: the next look will see it whole
            raise ConfigError("the configuration changed while it was read; reload again")
        waits = changes.fixed_changes(running.settings, loaded.settings)
        settings = changes.with_fixed(running.settings, loaded.settings)
        base = _with_broken_modules(answer, running.base)
        catalog = with_runtime(settings, base)
        project = Project(options, loaded, settings, catalog, base, (*loaded.problems, *catalog.problems))
        self._judge(project, answer)
        return project, waits

    def _judge(self, project: Project, answer: Answer) -> None:
        """Say every problem that is new, and raise `ConfigError` when one of them is an error beyond a broken module."""
        known = set(self._parts.project.problems)
        new = [one for one in project.problems if one not in known]
        new += self._parts.cannot_do(project.settings)
        errors = [*answer.unenforceable]
        for problem in new:
            if problem.code in OF_MODULES:
                log.error("%s", told(problem))
            elif problem.severity is Severity.ERROR or problem.code in config.REFUSED_BY_DAEMON:
                errors.append(problem)
            else:
                log.warning("%s", told(problem))
        if errors:
            raise ConfigError(_list("the new configuration cannot be taken over", errors))

    def _take(self, project: Project, renewal: "Renewal | None") -> None:
        """Exchange everything. No awaiting here: no run may begin half on the old and half on the new."""
        parts, settings = self._parts, project.settings
        before, targets = parts.project, dict(parts.live.targets)
        parts.project = project
        if parts.worker is not None and renewal is not None:
            pools = _exchange(parts.worker, project, renewal, lambda: parts.live.exchange(project.catalog))
        else:
            parts.live.exchange(project.catalog)
            pools = "no lanes here"
        parts.watch.renew(settings, project.base, parts.topics_of(project))
        logs.adjust(parts.log_handler, settings.log.level.value, settings.log.format.value)
        parts.changed(settings)
        log.info(
            "reloaded: %s; %s; settings: %s",
            changes.target_changes(targets, project.catalog.targets),
            pools,
            ", ".join(changes.setting_changes(before.settings, settings)) or "as before",
        )


def _exchange(parts: OfWorker, project: Project, renewal: "Renewal", show: Callable[[], None]) -> str:
    """Exchange what a worker has beside its targets, which `show` exchanges in between; returns how its pool has changed."""
    settings, pool, worker = project.settings, parts.pool, parts.assembly.worker
    parts.pool = parts.pool_of(project)
    worker.give_back_unstarted()
    parts.fleet.renew(renewal)
    parts.sandbox.renew(strictness_of(settings))
    show()
    parts.terms.max_payload_bytes = settings.max_payload_bytes
    worker.reconfigure(parts.pool)
    return changes.pool_change(pool, parts.pool)


def _with_broken_modules(answer: Answer, running: Catalog) -> Catalog:
    """Return what was found, with the targets that a module which is broken now had before."""
    broken = {one.file for one in answer.problems if one.code in OF_MODULES}
    kept = {
        id: target
        for id, target in running.targets.items()
        if target.path in broken and id not in answer.targets
    }
    return Catalog({**kept, **answer.targets}, answer.problems)


def _refuse(what: str, problems: tuple[Problem, ...]) -> None:
    errors = [one for one in problems if one.severity is Severity.ERROR]
    if errors:
        raise ConfigError(_list(what, errors))


def _list(what: str, errors: list[Problem]) -> str:
    lines = [f"  {told(one)}" + (f" ({one.hint})" if one.hint else "") for one in errors]
    return "\n".join([f"{what}:", *lines])
