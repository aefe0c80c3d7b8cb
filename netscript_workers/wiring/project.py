"""A project: its settings and its targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from netscript_workers import config
from netscript_workers.catalog import Catalog, CatalogSources, check_entrypoints, overlay, scan
from netscript_workers.domain.problem import Problem, Severity
from netscript_workers.domain.target import Target
from netscript_workers.errors import ConfigError
from netscript_workers.wiring.telling import told

__all__ = [
    "Project",
    "load_project",
    "nameless_problems",
    "refusal",
    "scan_catalog",
    "sources_of",
    "told",
    "with_runtime",
]


@dataclass(frozen=True)
class Project:
    """A loaded configuration with its targets. `base` are those without the runtime directory; `problems` are those of all."""

    options: config.LoadOptions
    loaded: config.Loaded
    settings: config.Settings
    catalog: Catalog
    base: Catalog
    problems: tuple[Problem, ...]

    @property
    def targets(self) -> Mapping[str, Target]:
        """Return the targets by id."""
        return self.catalog.targets


def load_project(options: config.LoadOptions) -> Project:
    """Load the configuration and import the job modules; raises `ConfigError` naming every error of the configuration.

    Modules that fail to import are among `problems` and do not stop the rest (SPEC section 6).
    """
    loaded = config.load(options)
    settings = loaded.settings
    if settings is None:
        raise ConfigError(refusal("the configuration cannot be used", loaded.problems))
    base = scan(sources_of(settings))
    catalog = with_runtime(settings, base)
    return Project(options, loaded, settings, catalog, base, (*loaded.problems, *catalog.problems))


def scan_catalog(settings: config.Settings) -> Catalog:
    """Find the targets that `settings` name, those of the runtime directory included."""
    return with_runtime(settings, scan(sources_of(settings)))


def nameless_problems(loaded: config.Loaded) -> Sequence[Problem]:
    """Return what is wrong with the files of the config's jobs and tasks that have no usable id."""
    declarations = [declaration for _, declaration in loaded.nameless]
    return check_entrypoints(declarations, sources_of(loaded.partial))


def with_runtime(settings: config.Settings, base: Catalog) -> Catalog:
    """Lay the runtime directory of `settings` over a catalog."""
    return overlay(base, config.read_runtime_dir(settings.runtime_dir), sources_of(settings))


def sources_of(settings: config.Settings) -> CatalogSources:
    """Return what a catalog is made from."""
    return CatalogSources(
        jobs_dir=settings.jobs_dir,
        tasks_dir=settings.tasks_dir,
        declarations=settings.declarations(),
        default_runtime=settings.runtime,
        runtime_by_topic=settings.runtime_by_topic(),
        retention_by_topic=settings.retention_by_topic(),
        require_permissions=settings.require_permissions,
    )


def refusal(what: str, problems: Sequence[Problem]) -> str:
    """Write `what` and the errors among `problems`, one a line, and where to see them all."""
    lines = [f"  {told(problem)}" for problem in problems if problem.severity is Severity.ERROR]
    return "\n".join([f"{what}:", *lines, "See them all, with hints: workers validate"])
