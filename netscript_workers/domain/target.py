"""Targets: what can be run. A declaration says what somebody wrote; a target is the resolved whole.

Declarations come from three places (the config file, a decorator in a module, the runtime JSON) and leave
unset what they do not say (`None`). The catalog lays them over one another and fills the defaults of SPEC
section 4, which stand here and nowhere else.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import msgspec

from netscript_workers.domain.permissions import Permissions

DEFAULT_TOPIC: Final = "default"
JOB_TIMEOUT_MS: Final = 60_000
TASK_TIMEOUT_MS: Final = 300_000
JOB_MAX_RETRIES: Final = 3
TASK_MAX_RETRIES: Final = 1
RETRY_DELAY_MS: Final = 1_000
TASK_MAX_CONCURRENCY: Final = 1
DEFAULT_PRIORITY: Final = 50
MAX_PRIORITY: Final = 100
KV_DAYS: Final = 7
DB_DAYS: Final = 90


class Concept(StrEnum):
    """What a target is: a Python handler (`job`) or a program in another runtime (`task`)."""

    JOB = "job"
    TASK = "task"


class RunnerMode(StrEnum):
    """Where a job's attempt runs (SPEC section 7)."""

    IN_PROCESS = "in-process"
    WEB_WORKER = "web-worker"
    SUBPROCESS = "subprocess"


class ProgramMode(StrEnum):
    """Where a task's attempt runs. No setting names it: a task is a program, always."""

    PROGRAM = "program"


class ConfinedMode(StrEnum):
    """Where an attempt of a job runs that has permissions or limits: in a process of its own, whatever its runner mode says."""

    CONFINED = "confined"  # held to its permissions, and to its limits if it has any
    LIMITED = "limited"  # held to its limits alone


Mode = RunnerMode | ProgramMode | ConfinedMode


class TaskType(StrEnum):
    """The runtime of a task (SPEC section 4). Other packages may bring more types, which are plain text."""

    DENO = "deno"
    PYTHON = "python"
    DOTNET = "dotnet"
    CMD = "cmd"
    POWERSHELL = "powershell"
    SHELL = "shell"
    EXECUTABLE = "executable"


class Backoff(StrEnum):
    """How the delay before a retry grows."""

    FIXED = "fixed"
    EXPONENTIAL = "exponential"


class CatchUp(StrEnum):
    """Which of the ticks missed while nothing ran are made up for."""

    LATEST = "latest"
    SKIP = "skip"
    ALL = "all"


class Source(StrEnum):
    """Where a definition comes from (the `source` of `workers jobs --json`)."""

    CONFIG = "config"
    DIRECTORY = "directory"
    RUNTIME = "runtime"


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """How long a finished execution is kept: `kv_days` live, then `db_days` in the archive (days, at least 1)."""

    kv_days: int = KV_DAYS
    db_days: int = DB_DAYS


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one run may use. `memory` and `output` are bytes, `cpu_seconds` seconds; None is no limit."""

    memory: int | None = None
    cpu_seconds: int | None = None
    open_files: int | None = None
    processes: int | None = None
    output: int | None = None


class Declaration(msgspec.Struct, frozen=True, kw_only=True):
    """What one place says of a target; `None` is unset. Durations are milliseconds.

    `entrypoint` is `path.py` or `path.py:attr`, relative to the jobs or tasks directory, as written.
    `file` and `line` tell where the declaration stands, for messages.
    """

    id: str
    concept: Concept
    source: Source
    file: str | None = None
    line: int | None = None
    name: str | None = None
    entrypoint: str | None = None
    topic: str | None = None
    description: str | None = None
    schedule: str | None = None
    timezone: str | None = None
    catch_up: CatchUp | None = None
    timeout: int | None = None
    max_retries: int | None = None
    retry_delay: int | None = None
    backoff: Backoff | None = None
    max_concurrency: int | None = None
    priority: int | None = None
    permissions: Permissions | None = None
    limits: Limits | None = None
    runtime: RunnerMode | None = None
    tags: tuple[str, ...] | None = None
    metadata: Mapping[str, Any] | None = None
    retention: Retention | None = None
    enabled: bool | None = None
    type: str | None = None
    args: tuple[str, ...] | None = None
    env: Mapping[str, str] | None = None
    cwd: str | None = None
    import_map_url: str | None = None
    persist: bool | None = None


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A resolved job or task: every field has its value. Durations are milliseconds.

    `path` is the absolute file of the entrypoint (already confined to its directory), `attribute` the name of
    the handler in it (None: found by the rules of SPEC section 6). `timeout` 0 never occurs: at least 1 ms.
    """

    id: str
    concept: Concept
    source: Source
    file: str
    path: str
    attribute: str | None = None
    name: str = ""
    entrypoint: str = ""
    topic: str = DEFAULT_TOPIC
    description: str = ""
    schedule: str | None = None
    timezone: str = "UTC"
    catch_up: CatchUp = CatchUp.LATEST
    timeout: int = JOB_TIMEOUT_MS
    max_retries: int = JOB_MAX_RETRIES
    retry_delay: int = RETRY_DELAY_MS
    backoff: Backoff = Backoff.FIXED
    max_concurrency: int | None = None
    priority: int = DEFAULT_PRIORITY
    permissions: Permissions | None = None
    limits: Limits = Limits()
    runtime: RunnerMode = RunnerMode.WEB_WORKER
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = {}
    retention: Retention = Retention()
    enabled: bool = True
    type: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = {}
    cwd: str | None = None
    import_map_url: str | None = None
    persist: bool = True

    @property
    def mode(self) -> Mode:
        """Where its attempts run: a task as a program, a job in its runner mode unless it is to be held to something."""
        if self.concept is Concept.TASK:
            return ProgramMode.PROGRAM
        if self.permissions is not None:
            return ConfinedMode.CONFINED
        return self.runtime if self.limits == Limits() else ConfinedMode.LIMITED

    @property
    def max_attempts(self) -> int:
        """How many attempts an execution has: the first one and `max_retries` more."""
        return self.max_retries + 1
