"""`workers run`: the tree of processes that a configuration asks for."""

import logging
import sys
from collections.abc import Iterator
from typing import Final

from netscript_workers import config
from netscript_workers.config.tree import Branch, plan_tree
from netscript_workers.errors import ConfigError, UsageError
from netscript_workers.supervisor.children import ChildSpec
from netscript_workers.supervisor.daemon import EXIT_OK
from netscript_workers.supervisor.keeping import Kept
from netscript_workers.supervisor.merging import MergedLog
from netscript_workers.supervisor.notices import Notices
from netscript_workers.supervisor.tree import Plan, Supervisor
from netscript_workers.telemetry import logs
from netscript_workers.wiring.confinement import settle_in_group
from netscript_workers.wiring.project import refusal
from netscript_workers.wiring.worker import worker_name

_LEAST_HANG_S: Final = 10.0
_BOOT_S: Final = 60.0  # beyond `connect_timeout`: imports, slots, the first announcement
_ATTENDANTS: Final = frozenset({"scheduler"})  # it has no queue to drain

log = logging.getLogger("netscript_workers.supervisor")


class ConfiguredRun:
    """A supervisor with its log set up; `run` may be awaited once."""

    def __init__(
        self,
        options: config.LoadOptions,
        loaded: config.Loaded,
        *,
        drain: bool,
        migrate: bool,
        notices: Notices,
    ) -> None:
        """Take what `build_run` has checked."""
        self._options = options
        self._loaded = loaded
        self._drain = drain
        self._migrate = migrate
        self._notices = notices

    async def run(self) -> int:
        """Keep the processes until told to stop and return the exit status."""
        settings = self._loaded.partial
        handler = logs.set_up(settings.log.level.value, settings.log.format.value)
        try:
            if not settings.enabled:
                log.info("enabled = false: there is nothing to run. Set it to true to run work.")
                return EXIT_OK
            settle_in_group()  # the children are then born where they belong
            return await self._supervisor().run()
        finally:
            logs.take_down(handler)

    def _supervisor(self) -> Supervisor:
        name = worker_name(self._options.environ)
        settings = self._loaded.partial
        as_json = _in_json(settings)
        merged = MergedLog(sys.stderr, as_json=as_json)

        def make(spec: ChildSpec) -> Kept:
            return Kept(spec, name, merged.write, once=self._drain)

        def planned() -> Plan:
            settings = self._loaded.partial
            branches = plan_tree(settings, self._options.topics)
            specs = tuple(self._spec(branch, as_json=as_json) for branch in branches)
            return Plan(specs, make, settings.shutdown_timeout / 1000)

        def replanned() -> Plan | None:
            loaded = config.load(self._options)
            if loaded.settings is None or not loaded.settings.enabled:
                # The children read it too, refuse it, and say in full what is wrong.
                log.error(
                    "the processes stay as they are: the new configuration cannot be used, or is not enabled"
                )
                return None
            self._loaded = loaded
            return planned()

        plan = planned()
        log.info("supervisor %s keeps %s", name, ", ".join(spec.name for spec in plan.specs))
        return Supervisor(
            [make(spec) for spec in plan.specs],
            self._notices,
            drain_s=plan.drain_s,
            until_drained=self._drain,
            attendants=_ATTENDANTS,
            replan=replanned,
        )

    def _spec(self, branch: Branch, *, as_json: bool) -> ChildSpec:
        settings, environ = self._loaded.partial, dict(self._options.environ)
        if environ.get("WORKER_ID"):
            environ["WORKER_ID"] += f"-{branch.name}"
        return ChildSpec(
            name=branch.name,
            argv=(
                *(sys.executable, "-P", "-m", "netscript_workers", branch.role),
                *self._arguments(branch),
                *("--log-format", "json" if as_json else "text"),
            ),
            environ=environ,
            boot_s=settings.connect_timeout / 1000 + _BOOT_S,
            # A loop that stands still for a lease has lost what it ran: others have taken it over.
            hang_s=max(settings.lease / 1000, _LEAST_HANG_S),
        )

    def _arguments(self, branch: Branch) -> Iterator[str]:
        """Hand on what the command line said."""
        options, has_slots = self._options, branch.role != "scheduler"
        given = (
            ("--config", self._loaded.file),
            ("--concurrency", options.concurrency if has_slots else None),
            ("--runtime", options.runtime if has_slots else None),
            ("--provider", options.provider),
            ("--log-level", options.log_level),
        )
        for flag, value in given:
            if value is not None:
                yield from (flag, str(value))
        for topic in branch.topics:
            yield from ("--topic", topic)
        for topic in branch.without:
            yield from ("--without-topic", topic)
        if self._drain and branch.name not in _ATTENDANTS:
            yield "--drain"
        if not self._migrate:
            yield "--no-migrate"


def _in_json(settings: config.Settings) -> bool:
    on_terminal = sys.stderr is not None and sys.stderr.isatty()
    style = settings.log.format
    return style is config.LogFormat.JSON or (style is config.LogFormat.AUTO and not on_terminal)


def build_run(
    options: config.LoadOptions, *, notices: Notices, drain: bool = False, migrate: bool = True
) -> ConfiguredRun:
    """Return the supervisor that `options` lead to. Job modules are the children's to import.

    Raises `ConfigError` (78) naming every error of the configuration.
    """
    if sys.platform == "win32":
        raise UsageError(
            "`workers run` needs Linux or macOS. Start `workers combined`, and `workers worker --topic T` beside it."
        )
    loaded = config.load(options)
    if loaded.settings is None:
        raise ConfigError(refusal("the configuration cannot be used", loaded.problems))
    return ConfiguredRun(options, loaded, drain=drain, migrate=migrate, notices=notices)
