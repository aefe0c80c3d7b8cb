"""What a catalog is made from."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from netscript_workers.domain.target import Declaration, Retention, RunnerMode


class CatalogSources(msgspec.Struct, frozen=True, kw_only=True):
    """The directories to scan, the config's declarations, and what a target inherits from its topic.

    `jobs_dir` and `tasks_dir` are absolute and need not exist. `declarations` carry what their group hands
    down. `require_permissions`: a task of a module without permissions is an error (the config judges its own).
    """

    jobs_dir: Path
    tasks_dir: Path
    declarations: tuple[Declaration, ...] = ()
    default_runtime: RunnerMode = RunnerMode.WEB_WORKER
    runtime_by_topic: Mapping[str, RunnerMode] = {}
    retention_by_topic: Mapping[str, Retention] = {}
    require_permissions: bool = False
