"""Hazards: settings that are valid and will hurt. Each is a warning; `validate --strict` makes them fail."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from netscript_workers.config.choices import Provider, SandboxPolicy
from netscript_workers.config.place import Place, problem_at
from netscript_workers.config.provider import resolve_provider, resolve_records
from netscript_workers.config.tools import missing_tools
from netscript_workers.domain.duration import format_duration
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.retry import policy_of, retry_delay_ms
from netscript_workers.domain.schedule import ScheduleError, shortest_period_ms
from netscript_workers.domain.target import Concept, ConfinedMode, RunnerMode, Target, TaskType

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings

LONG_RETRIES_MS: Final = 15 * 60_000
CONSUMER_TIMEOUT_MS: Final = 30 * 60_000  # RabbitMQ's default
_GRACE_OF_MANAGERS_MS: Final = 30_000  # Kubernetes, Docker Swarm and others kill after that
_DAY_MS: Final = 86_400_000
_ENFORCE: Final = "set sandbox = “require”"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked at besides the settings.

    `sync_jobs` are the jobs with a plain function as handler; `lines` says where in its file a target that is not in
    the config is defined; `environ` is the environment of the process; `topics` are those of `--topic`.
    """

    targets: Mapping[str, Target]
    sync_jobs: frozenset[str] = frozenset()
    lines: Mapping[str, int] = {}
    environ: Mapping[str, str] = {}
    topics: tuple[str, ...] = ()


def hazards(settings: "Settings", subject: Subject) -> list[Problem]:
    """Return every hazard. Disabled targets have none."""
    found = [*_of_settings(settings, subject)]
    look = _Look(settings, subject)
    for target in subject.targets.values():
        if target.enabled:
            found += look.target(target)
    return found


def worst_case_ms(target: Target) -> int:
    """Return the longest time from the first attempt's start to giving up: every attempt times out, every delay waits."""
    policy = policy_of(target)
    delays = sum(retry_delay_ms(policy, attempt) for attempt in range(1, policy.max_attempts))
    return policy.max_attempts * target.timeout + delays


def _of_settings(settings: "Settings", subject: Subject) -> Iterator[Problem]:
    if resolve_provider(settings).provider is Provider.MEMORY:
        message = "the memory queue is for tests: nothing survives, and no other process reaches it"
        yield problem_at(
            "W013", settings.place_of("queue_provider"), message, "use “deno-kv”, which needs no server"
        )
    if resolve_provider(settings).provider is Provider.AMQP:
        records = resolve_records(settings).provider
        if records is Provider.DENO_KV:
            message = f"the records of amqp are in {settings.connections.deno_kv_path}: all workers must be on this host"
            hint = "set redis_url, or database_url, so that workers on other hosts share them"
            yield problem_at("W015", settings.place_of("connections", "amqp_url"), message, hint)
    if settings.shutdown_timeout >= _GRACE_OF_MANAGERS_MS:
        drain = format_duration(settings.shutdown_timeout)
        message = f"draining for {drain} is not under the 30s after which Kubernetes and others kill"
        hint = "stay under 30s, or raise the grace period there (terminationGracePeriodSeconds)"
        yield problem_at("W014", settings.place_of("shutdown_timeout"), message, hint)
    modes = {target.runtime for target in subject.targets.values() if target.concept is Concept.JOB}
    if modes and RunnerMode.WEB_WORKER not in modes:
        for key in ("max_jobs_per_slot", "max_slot_memory_mb"):
            if getattr(settings, key) is not None:
                message = f"“{key}” recycles warm slots, and no job runs in web-worker mode"
                yield problem_at("W012", settings.place_of(key), message, "leave it out")
    known = {"default", *settings.group_limits(), *(target.topic for target in subject.targets.values())}
    for topic in subject.topics:
        if topic not in known:
            message = f"--topic {topic}: no group and no target has this topic"
            yield problem_at("W012", Place(), message, f"known: {', '.join(sorted(known))}")
    yield from missing_tools(settings, subject.targets, subject.environ)


class _Look:
    def __init__(self, settings: "Settings", subject: Subject) -> None:
        self._settings = settings
        self._subject = subject
        self._places = {declaration.id: place for place, declaration in settings.placed_declarations()}
        self._provider = resolve_provider(settings).provider

    def target(self, target: Target) -> Iterator[Problem]:
        """Yield the hazards of one target."""
        yield from self._retries(target)
        yield from self._schedule(target)
        yield from self._grants(target)
        if target.concept is Concept.TASK:
            yield from self._task(target)
        else:
            yield from self._job(target)

    def _at(self, target: Target, key: str) -> Place:
        place = self._places.get(target.id)
        if place is None:
            return Place(file=target.file, line=self._subject.lines.get(target.id))
        return self._settings.place_of(*place.path, key)

    def _retries(self, target: Target) -> Iterator[Problem]:
        name = f"“{target.id}”"
        retries = target.max_retries * target.timeout
        if retries > LONG_RETRIES_MS:
            took = format_duration(retries)
            message = (
                f"{name}: {target.max_retries} retries of {format_duration(target.timeout)} can take {took}"
            )
            hint = "lower timeout or max_retries, so that a broken target does not hold a slot for so long"
            yield problem_at("W006", self._at(target, "max_retries"), message, hint)
        if self._provider is Provider.AMQP and target.timeout > CONSUMER_TIMEOUT_MS:
            message = f"{name}: RabbitMQ's consumer_timeout (30m unless raised) is shorter than its timeout"
            hint = "this daemon holds no message while it runs; raise it on the server for consumers that do"
            yield problem_at("W009", self._at(target, "timeout"), message, hint)
        kept = target.retention.kv_days * _DAY_MS
        if worst_case_ms(target) > kept:
            took = format_duration(worst_case_ms(target))
            message = f"{name}: its retries can go on for {took}, its record is kept for {target.retention.kv_days}d"
            yield problem_at("W010", self._at(target, "retention"), message, "keep it longer, or retry less")
        if target.max_retries == 0 and self._settings.is_written(*self._at(target, "retry_delay").path):
            message = f"{name}: retry_delay has no effect with max_retries = 0"
            yield problem_at("W012", self._at(target, "retry_delay"), message, "leave it out")

    def _schedule(self, target: Target) -> Iterator[Problem]:
        if target.schedule is None:
            for key in ("timezone", "catch_up"):
                if self._settings.is_written(*self._at(target, key).path):
                    message = f"“{target.id}”: {key} has no effect without a schedule"
                    yield problem_at(
                        "W012", self._at(target, key), message, "add a schedule, or leave it out"
                    )
            return
        try:
            period = shortest_period_ms(target.schedule, target.timezone)
        except ScheduleError:
            return  # reported by whoever read it
        if target.max_concurrency == 1 and period is not None and period < target.timeout:
            message = (
                f"“{target.id}” comes due every {format_duration(period)}, may run for "
                f"{format_duration(target.timeout)}, and max_concurrency is 1: runs can pile up"
            )
            hint = "shorten timeout, widen the schedule, or raise max_concurrency"
            yield problem_at("W008", self._at(target, "schedule"), message, hint)

    def _grants(self, target: Target) -> Iterator[Problem]:
        yield from self._unheld(target)
        permissions = target.permissions
        if permissions is None:
            return
        place = self._at(target, "permissions")
        grants = [
            name for name in ("net", "read", "write", "run", "ffi") if getattr(permissions, name) is True
        ]
        if permissions.env is True and self._settings.is_written(*place.path, "env"):
            grants.append("env")
        if grants:
            message = f"“{target.id}” is granted everything of: {', '.join(grants)}"
            yield problem_at("W004", place, message, "list what it needs, such as net = [“api.example.com”]")

    def _unheld(self, target: Target) -> Iterator[Problem]:
        if self._settings.sandbox is not SandboxPolicy.OFF:
            return
        limits = [
            name for name in target.limits.__struct_fields__ if getattr(target.limits, name) is not None
        ]
        kept_by_sandbox = [name for name in limits if name != "output"]
        if target.permissions is not None and target.type is not TaskType.DENO:
            message = f"“{target.id}” has permissions, and sandbox = “off” enforces none of them"
            yield problem_at("W012", self._at(target, "permissions"), message, _ENFORCE)
        if kept_by_sandbox:
            named = ", ".join(f"limits.{name}" for name in kept_by_sandbox)
            message = f"“{target.id}” has {named}, which sandbox = “off” does not enforce"
            yield problem_at("W012", self._at(target, "limits"), message, _ENFORCE)

    def _task(self, task: Target) -> Iterator[Problem]:
        if task.permissions is not None or self._settings.require_permissions:
            return
        place = self._at(task, "id")
        hint = "workers permissions record finds out which it needs; require_permissions = true demands some"
        if task.type is TaskType.DENO:
            message = f"the deno task “{task.id}” has no permissions: it would run with --allow-all"
            yield problem_at("W002", place, message, hint)
        else:
            yield problem_at(
                "W003", place, f"the task “{task.id}” has no permissions: nothing confines it", hint
            )

    def _job(self, job: Target) -> Iterator[Problem]:
        if isinstance(job.mode, ConfinedMode):
            if job.runtime is not RunnerMode.SUBPROCESS:
                key = "limits" if job.permissions is None else "permissions"
                message = (
                    f"“{job.id}” has {key}, so each attempt gets a fresh process, not {job.runtime.value}"
                )
                hint = "set runtime = “subprocess” to say so"
                yield problem_at("W011", self._at(job, key), message, hint)
        elif job.runtime is RunnerMode.IN_PROCESS and job.id in self._subject.sync_jobs:
            message = (
                f"“{job.id}” is a plain function in in-process mode: at its timeout of "
                f"{format_duration(job.timeout)} it cannot be stopped, only abandoned"
            )
            yield problem_at("W007", self._at(job, "runtime"), message, "make it async, or use web-worker")
