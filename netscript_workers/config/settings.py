"""The settings: one frozen tree with every key of SPEC section 4 and, in this file alone, its default."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from pydantic import BeforeValidator, Field, PrivateAttr

from netscript_workers.config.choices import LogFormat, LogLevel, Provider, SandboxPolicy
from netscript_workers.config.declare import declare
from netscript_workers.config.definitions import GroupTable, JobTable, TaskTable
from netscript_workers.config.node import Node
from netscript_workers.config.place import KeyPath, Place, dotted
from netscript_workers.config.values import (
    AmqpUrl,
    ByteSize,
    Count,
    DatabaseUrl,
    Directory,
    Duration,
    Flag,
    PositiveDuration,
    RedisUrl,
    SecretText,
    problem,
    queue_file,
)
from netscript_workers.domain.target import DB_DAYS, KV_DAYS, Declaration, Retention, RunnerMode

_LONGEST_NAME: Final = 63  # what PostgreSQL allows for an identifier
_LAST_PORT: Final = 65535


def _queue_name(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    if (
        not value
        or len(value) > _LONGEST_NAME
        or not all(c.isascii() and (c.isalnum() or c in "_-.") for c in value)
    ):
        raise problem(
            "E018", f"is no name of a queue: {value!r}", "letters, digits, “_”, “-” and “.”, at most 63"
        )
    return value


def _listen(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    host, colon, port = value.rpartition(":")
    if (
        not colon
        or not port.isdecimal()
        or int(port) > _LAST_PORT
        or any(c.isspace() or c in "/@" for c in host)
    ):
        raise problem(
            "E019", f"is no address to listen on: {value!r}", "write host:port, such as “127.0.0.1:9464”"
        )
    return value


def _unset() -> Any:
    """An empty table, validated like a written one: its paths start from the same directory."""
    return {}


QueueName = Annotated[str, BeforeValidator(_queue_name)]
Listen = Annotated[str, BeforeValidator(_listen)]


def _exports(name: str, value: str) -> bool:
    if name.startswith("OTEL_EXPORTER_OTLP_") and name.endswith("ENDPOINT"):
        return bool(value)
    return name in ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER") and value not in (
        "",
        "none",
    )


class ConnectionsTable(Node):
    """Where the servers are. A URL may be `env:NAME` or `file:PATH`."""

    redis_url: RedisUrl | None = Field(
        default=None, description="redis://host:6379/0 (environment: REDIS_URL)"
    )
    database_url: DatabaseUrl | None = Field(
        default=None, description="postgresql://user@host/name (environment: DATABASE_URL)"
    )
    amqp_url: AmqpUrl | None = Field(default=None, description="amqp://user@host/ (environment: AMQP_URL)")
    deno_kv_path: Annotated[Directory, BeforeValidator(queue_file)] = Field(
        default="./workers/queue.sqlite3",
        validate_default=True,
        description="the file of the embedded queue (environment: DENO_KV_URL)",
    )


class LogTable(Node):
    """What is logged and how."""

    level: LogLevel = Field(default=LogLevel.INFO, description="debug, info, warning or error")
    format: LogFormat = Field(default=LogFormat.AUTO, description="text, json, or auto: text on a terminal")


class MetricsTable(Node):
    """Metrics in Prometheus text."""

    listen: Listen | None = Field(default=None, description="host:port to serve them on; unset: off")


class ApiTable(Node):
    """The HTTP API (`workers api`)."""

    listen: Listen = Field(default="127.0.0.1:8091", description="host:port to serve it on")
    token: SecretText | None = Field(
        default=None,
        description="bearer token; demanded unless it listens on loopback (may be env:NAME or file:PATH)",
    )


class Settings(Node):
    """Every setting, resolved: durations in ms, sizes in bytes, paths absolute, secrets masked when printed."""

    jobs_dir: Directory = Field(
        default="./workers/jobs",
        validate_default=True,
        description="scanned, recursively, for job modules",
    )
    tasks_dir: Directory = Field(
        default="./workers/tasks",
        validate_default=True,
        description="scanned, recursively, for tasks",
    )
    runtime_dir: Directory = Field(
        default="./workers/runtime",
        validate_default=True,
        description="declarative tasks and overrides as JSON, hot-reloaded",
    )
    queue_provider: Provider = Field(
        default=Provider.AUTO,
        description="auto: amqp if an AMQP URL is configured, else redis, else deno-kv; never postgres",
    )
    queue_name: QueueName = Field(
        default="jobs", description="namespace of all the queue's keys, tables and queues"
    )
    concurrency: Count = Field(default=2, description="slots that all topics without a group share")
    runtime: RunnerMode = Field(
        default=RunnerMode.WEB_WORKER, description="runner mode of jobs, unless a group or job says otherwise"
    )
    enabled: Flag = Field(
        default=True, description="false: every daemon command starts, says so, and exits 0"
    )
    shutdown_timeout: Duration = Field(default=25_000, description="drain time on SIGTERM")
    lease: Annotated[PositiveDuration, Field(ge=1_000)] = Field(
        default=30_000, description="how long a claimed execution survives a silent worker; at least 1s"
    )
    connect_timeout: Duration = Field(
        default=30_000, description="how long a starting daemon tries to reach its server before it exits 69"
    )
    max_payload_bytes: ByteSize = Field(default=1 << 20, description="a larger payload is refused at enqueue")
    max_jobs_per_slot: Count | None = Field(
        default=None, description="recycle a warm slot after so many runs"
    )
    max_slot_memory_mb: Count | None = Field(
        default=None, description="recycle a warm slot beyond so much memory"
    )
    sandbox: SandboxPolicy = Field(
        default=SandboxPolicy.REQUIRE,
        description="what becomes of a run whose permissions cannot be enforced here",
    )
    require_permissions: Flag = Field(
        default=False, description="true: a task without permissions is an error"
    )
    connections: ConnectionsTable = Field(
        default_factory=_unset, validate_default=True, description="where the servers are"
    )
    log: LogTable = Field(default_factory=_unset, validate_default=True, description="logging")
    metrics: MetricsTable = Field(default_factory=_unset, validate_default=True, description="metrics")
    api: ApiTable = Field(default_factory=_unset, validate_default=True, description="the HTTP API")
    groups: tuple[GroupTable, ...] = Field(
        default=(), description="topics with scaling and retention of their own"
    )
    jobs: tuple[JobTable, ...] = Field(default=(), description="jobs outside any group")
    tasks: tuple[TaskTable, ...] = Field(default=(), description="tasks outside any group")

    _telemetry_variables: tuple[str, ...] = PrivateAttr(default=())
    _places: Mapping[KeyPath, Place] = PrivateAttr(default={})
    _said_by: Mapping[str, str] = PrivateAttr(default={})

    @property
    def telemetry_variables(self) -> tuple[str, ...]:
        """Return the `OTEL_*` variables in the environment that ask for spans or metrics to be exported."""
        return self._telemetry_variables

    def remember(self, environ: Mapping[str, str], places: Mapping[KeyPath, Place]) -> None:
        """Note where keys stand and which variables ask for telemetry; called once, by `load`."""
        self._telemetry_variables = tuple(name for name in sorted(environ) if _exports(name, environ[name]))
        self._places = places

    def credit(self, said_by: Mapping[str, str]) -> None:
        """Note in words where values come from, by dotted path; called once, by `load`."""
        self._said_by = said_by

    def said_by(self, *path: str | int) -> str:
        """Say where a value under `connections` comes from: `REDIS_URL`, or `connections.redis_url in config.toml, line 3`."""
        return self._said_by.get(dotted(path), dotted(path))

    def place_of(self, *path: str | int) -> Place:
        """Return the place of a key of the file, or of the nearest table around it."""
        for length in range(len(path), 0, -1):
            if path[:length] in self._places:
                return self._places[path[:length]]._replace(path=path)
        return Place(path)

    def is_written(self, *path: str | int) -> bool:
        """Tell whether the file itself has this key."""
        return path in self._places

    def declarations(self) -> tuple[Declaration, ...]:
        """Return every job and task of the config, with what its group hands down."""
        return tuple(declaration for _, declaration in self.placed_declarations())

    def placed_declarations(self) -> list[tuple[Place, Declaration]]:
        """Return the same with the place of each."""
        return declare(self.jobs, self.tasks, self.groups)

    def group_limits(self) -> dict[str, int]:
        """Return the concurrency of each group's topic."""
        return {group.topic: group.scaling.concurrency for group in self.groups}

    def runtime_by_topic(self) -> dict[str, RunnerMode]:
        """Return the runner mode of each topic whose group sets one."""
        return {group.topic: group.runtime for group in self.groups if group.runtime is not None}

    def retention_by_topic(self) -> Mapping[str, Retention]:
        """Return how long each group's topic keeps its executions."""
        return {
            group.topic: Retention(
                kv_days=group.retention.kv_days or KV_DAYS, db_days=group.retention.db_days or DB_DAYS
            )
            for group in self.groups
        }
