"""Jobs, tasks and groups as the config file writes them. Unset keys stay None: the catalog fills them in."""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from pydantic import AfterValidator, BeforeValidator, Field, PlainSerializer, WithJsonSchema

from netscript_workers.authoring.task_types import UnknownTaskTypeError, task_type
from netscript_workers.config.choices import ScalingMode
from netscript_workers.config.node import Node
from netscript_workers.config.permissions import PermissionValue
from netscript_workers.config.secret import MASK
from netscript_workers.config.values import (
    ByteSize,
    Count,
    Cron,
    Duration,
    Flag,
    Identifier,
    Natural,
    PositiveDuration,
    Priority,
    Text,
    Timezone,
    problem,
)
from netscript_workers.domain.runtime_settings import RuntimeSettingError, check_settings
from netscript_workers.domain.target import Backoff, CatchUp, RunnerMode, TaskType


def _entrypoint(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    if not value.strip() or "\0" in value or "\n" in value:
        raise problem("E019", "names no file")
    return value


def _json_value(value: Mapping[str, Any]) -> Mapping[str, Any]:
    unfit = _first_unfit(value, "")
    if unfit:
        raise problem("E012", f"holds a value that JSON has no type for, at {unfit}", "write dates as text")
    return value


def _first_unfit(value: object, path: str) -> str:
    if isinstance(value, Mapping):
        table = cast("Mapping[str, object]", value)
        nested = [(f"{path}.{key}" if path else key, item) for key, item in table.items()]
    elif isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        nested = [(f"{path}[{index}]", item) for index, item in enumerate(items)]
    else:
        return "" if value is None or isinstance(value, (str, int, float, bool)) else path
    return next((unfit for where, item in nested if (unfit := _first_unfit(item, where))), "")


def _task_metadata(value: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        check_settings(value)
    except RuntimeSettingError as error:
        raise problem("E010" if error.hint else "E012", str(error), error.hint) from None
    return value


def _task_type(value: object) -> str:
    try:
        return task_type(value)
    except UnknownTaskTypeError as error:
        hint = f"did you mean “{error.near}”?" if error.near else ""
        raise problem("E014", error.allowed, hint) from None  # the value is said by whoever reports it


Entrypoint = Annotated[str, BeforeValidator(_entrypoint), WithJsonSchema({"type": "string", "minLength": 1})]
Metadata = Annotated[Mapping[str, Any], AfterValidator(_json_value)]
TaskKind = Annotated[
    str,
    BeforeValidator(_task_type),
    WithJsonSchema({"anyOf": [{"enum": [kind.value for kind in TaskType]}, {"type": "string"}]}),
]
TaskMetadata = Annotated[Mapping[str, Any], AfterValidator(_json_value), AfterValidator(_task_metadata)]


def _masked(value: Mapping[str, str] | None) -> dict[str, str] | None:
    return None if value is None else dict.fromkeys(value, MASK)


_NAMES_ONLY = PlainSerializer(_masked)  # the values of an environment may be secrets


class ScalingTable(Node):
    """How many slots a group's topic gets, and where."""

    concurrency: Count = Field(default=2, description="runs of this topic at a time, per worker process")
    mode: ScalingMode = Field(
        default=ScalingMode.COMBINED,
        description="combined: in the common process; distributed: in one of its own (workers run)",
    )


class RetentionTable(Node):
    """How long finished executions are kept. Unset: the group's, else 7 and 90."""

    kv_days: Count | None = Field(default=None, description="days in the live history")
    db_days: Count | None = Field(default=None, description="days in the archive after that")


class LimitsTable(Node):
    """What one run may use; unset is no limit."""

    memory: ByteSize | None = Field(default=None, description="memory of one run, such as 256M")
    cpu_seconds: Count | None = Field(default=None, description="processor time of one run, in seconds")
    open_files: Count | None = Field(default=None, description="open files of one run")
    processes: Count | None = Field(default=None, description="processes of one run")
    output: ByteSize | None = Field(default=None, description="captured output of one run, such as 10M")


class TargetTable(Node):
    """What jobs and tasks have in common."""

    id: Identifier = Field(description="unique, kebab-case")
    name: Text | None = Field(default=None, description="for people")
    entrypoint: Entrypoint
    topic: Identifier | None = Field(default=None, description="the lane; a group's members take the group's")
    description: Text | None = Field(default=None, description="for people")
    schedule: Cron | None = Field(
        default=None, description="cron expression of 5 or 6 fields, or @hourly and friends"
    )
    timezone: Timezone | None = Field(default=None, description="IANA timezone of the schedule; default UTC")
    catch_up: CatchUp | None = Field(
        default=None, description="ticks missed while nothing ran; default latest"
    )
    timeout: PositiveDuration | None = Field(default=None, description="longest run of one attempt")
    max_retries: Natural | None = Field(default=None, description="attempts after the first")
    retry_delay: Duration | None = Field(default=None, description="wait before a retry; default 1s")
    backoff: Backoff | None = Field(default=None, description="how that wait grows; default fixed")
    max_concurrency: Count | None = Field(default=None, description="runs at a time across all workers")
    priority: Priority | None = Field(default=None, description="0 to 100, higher first; default 50")
    permissions: PermissionValue | None = Field(
        default=None, description="what a run may reach: a table of grants, or the name of a preset"
    )
    limits: LimitsTable | None = Field(default=None, description="what a run may use")
    tags: tuple[Text, ...] | None = Field(default=None, description="free words for people and tools")
    retention: RetentionTable | None = Field(default=None, description="how long its executions are kept")
    enabled: Flag | None = Field(default=None, description="false: not run")


class JobTable(TargetTable):
    """A Python handler."""

    entrypoint: Entrypoint = Field(description="path.py or path.py:attr, relative to jobs_dir")
    runtime: RunnerMode | None = Field(
        default=None, description="runner mode; else the group's, else the config's"
    )
    metadata: Metadata | None = Field(default=None, description="anything; shown, never read")


class TaskTable(TargetTable):
    """A program in another runtime."""

    entrypoint: Entrypoint = Field(description="the program's file, relative to tasks_dir")
    type: TaskKind = Field(default=TaskType.DENO, description="its runtime")
    args: tuple[Text, ...] | None = Field(default=None, description="arguments behind the entrypoint")
    env: Annotated[Mapping[Text, Text] | None, _NAMES_ONLY] = Field(
        default=None, description="environment variables of its own"
    )
    cwd: Text | None = Field(default=None, description="working directory")
    import_map_url: Text | None = Field(default=None, description="import map of a deno program")
    persist: Flag | None = Field(
        default=None, description="false: keep the record for kv_days only, never archive it"
    )
    metadata: TaskMetadata | None = Field(
        default=None,
        description="anything; python_config, dotnet_config and shell_config are read by the runtime",
    )


class GroupTable(Node):
    """A topic with its own scaling and retention, and the jobs and tasks that belong to it."""

    topic: Identifier = Field(description="the topic that this group binds")
    scaling: ScalingTable = Field(default=ScalingTable(), description="slots and mode")
    retention: RetentionTable = Field(default=RetentionTable(), description="how long executions are kept")
    runtime: RunnerMode | None = Field(default=None, description="runner mode of its jobs")
    jobs: tuple[JobTable, ...] = Field(default=(), description="jobs of this topic")
    tasks: tuple[TaskTable, ...] = Field(default=(), description="tasks of this topic")
