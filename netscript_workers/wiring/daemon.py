"""The daemon of `workers combined`, `workers worker` and `workers scheduler`."""

import logging
import sys
from typing import Final

from netscript_workers import config
from netscript_workers.domain.pool import Pool
from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.errors import ConfigError
from netscript_workers.supervisor.daemon import EXIT_OK
from netscript_workers.supervisor.notices import Notices
from netscript_workers.telemetry import logs
from netscript_workers.wiring.assembling import Order, assembled
from netscript_workers.wiring.confinement import settle_in_group
from netscript_workers.wiring.greeting import runtime_overruled, topics_of_nothing
from netscript_workers.wiring.observing import Observatory
from netscript_workers.wiring.project import Project, told

# How long the loop's thread may hold the interpreter while the engine's thread waits for it. The engine needs it for some
# microseconds after each statement; at Python's 5 ms a busy loop made a transaction of five statements wait 25 ms.
# Measured with no-op runs in-process: 21,000/s at 5 ms, 28,000/s at 0.1 ms.
SWITCH_INTERVAL_S: Final = 0.0001

SPREAD: Final = 32  # processes of one supervisor take the ports from metrics.listen on, so many at the most

log = logging.getLogger("netscript_workers.daemon")


class ConfiguredDaemon:
    """A daemon with its log set up and its project told of; `run` may be awaited once."""

    def __init__(
        self, project: Project, *, role: str, drain: bool, migrate: bool, watch: bool, notices: Notices
    ) -> None:
        """Take what `build_daemon` has checked."""
        self._notices = notices
        self._watch = watch
        self._migrate = migrate
        self._project = project
        self._observatory = Observatory(
            project.settings, role, spread=SPREAD if notices.place is not None else 1
        )
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
            settle_in_group()
            self._say_problems()
            self._say_where_records_are()
            sys.setswitchinterval(SWITCH_INTERVAL_S)
            order = Order(
                project=self._project,
                role=self._role,
                drain=self._drain,
                migrate=self._migrate,
                watch=self._watch,
                notices=self._notices,
                observatory=self._observatory,
                log_handler=handler,
                cannot_do=_cannot_do,
                pool_of=pool_of,
            )
            async with self._observatory.listening():
                return await assembled(order).run()
        finally:
            logs.take_down(handler)

    def _say_problems(self) -> None:
        for problem in self._project.problems:
            level = logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING
            log.log(level, "%s", told(problem))
        overruled = runtime_overruled(self._project, self._project.targets.values())
        for what in (topics_of_nothing(self._project), overruled):
            if what:
                log.warning("%s", what)

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


def build_daemon(
    project: Project,
    *,
    role: str,
    drain: bool = False,
    migrate: bool = True,
    watch: bool = False,
    notices: Notices | None = None,
) -> ConfiguredDaemon:
    """Return the daemon of `project`; `role` is what `status` shows, `migrate` false leaves a database's tables as they are.

    `watch`: it reloads by itself when a module or the config file changes. `notices` tell systemd or a supervisor how it is.

    Raises `ConfigError` (78) when the configuration needs what this version cannot do: nothing is accepted and ignored.
    """
    if project.settings.enabled:
        missing = _cannot_do(project.settings)
        if missing:
            lines = "\n".join(f"  {told(problem)}" for problem in missing)
            raise ConfigError(f"this version cannot do what the configuration asks for:\n{lines}")
    return ConfiguredDaemon(
        project, role=role, drain=drain, migrate=migrate, watch=watch, notices=notices or Notices()
    )


def _cannot_do(settings: config.Settings) -> list[Problem]:
    return [one for one in config.unavailable(settings) if one.code in config.REFUSED_BY_DAEMON]


def pool_of(project: Project) -> Pool:
    """Apply the pool-size rule to `project` (SPEC section 4)."""
    return config.pool_for(project.loaded, project.settings, project.targets)
