"""The plan of `workers validate --explain`: what a worker process with these settings will hold, and for how long."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

from netscript_workers.config import costs
from netscript_workers.config.archiving import ArchivePlace, resolve_archive
from netscript_workers.config.capacity import pool_for
from netscript_workers.config.choices import Provider
from netscript_workers.config.dangers import worst_case_ms
from netscript_workers.config.provider import resolve_provider, resolve_records
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import Concept, ConfinedMode, RunnerMode, Target

if TYPE_CHECKING:
    from netscript_workers.config.options import Loaded
    from netscript_workers.config.settings import Settings

_MIB: Final = 1 << 20


class LanePlan(msgspec.Struct, frozen=True, kw_only=True):
    """One lane: its topics, the most slots it can hold, the modes of its targets, and the bytes of its dearest slot."""

    topics: tuple[str, ...]
    slots: int
    modes: tuple[str, ...]
    slot_bytes: int


class TargetPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One target: how long from its first attempt to giving up at worst, and how much of that holds a slot (ms)."""

    id: str
    topic: str
    mode: str
    attempts: int
    timeout_ms: int
    worst_case_ms: int
    slot_time_ms: int


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What one worker process holds. Bytes are proportional set sizes; `connections` counts by server or file."""

    slots: int
    rule: str
    lanes: tuple[LanePlan, ...]
    provider: str
    provider_why: str
    archive: str
    archive_why: str
    connections: Mapping[str, int]
    memory_bytes: int
    daemon_bytes: int
    memory_basis: str
    targets: tuple[TargetPlan, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the plan with the keys of the wire."""
        return {
            "slots": self.slots,
            "rule": self.rule,
            "lanes": [
                {
                    "topics": list(lane.topics),
                    "slots": lane.slots,
                    "modes": list(lane.modes),
                    "slotBytes": lane.slot_bytes,
                }
                for lane in self.lanes
            ],
            "provider": self.provider,
            "providerWhy": self.provider_why,
            "archive": self.archive,
            "archiveWhy": self.archive_why,
            "connections": dict(self.connections),
            "memoryBytes": self.memory_bytes,
            "daemonBytes": self.daemon_bytes,
            "memoryBasis": self.memory_basis,
            "targets": [
                {
                    "id": target.id,
                    "topic": target.topic,
                    "mode": target.mode,
                    "attempts": target.attempts,
                    "timeout": target.timeout_ms,
                    "worstCase": target.worst_case_ms,
                    "slotTime": target.slot_time_ms,
                }
                for target in self.targets
            ],
        }


def make_plan(loaded: "Loaded", settings: "Settings", targets: Mapping[str, Target]) -> Plan:
    """Work the plan out for one worker process that serves what `loaded` says."""
    enabled = {id: target for id, target in targets.items() if target.enabled}
    pool = pool_for(loaded, settings, targets)
    provider, why = resolve_provider(settings)
    archive, archive_why = resolve_archive(settings)
    lanes = tuple(_lane(lane, pool, settings, enabled) for lane in pool.lanes)
    daemon = costs.DAEMON_BYTES + costs.SOURCE_BYTES * _sources(enabled)
    bounded = settings.max_slot_memory_mb is not None and any("web-worker" in lane.modes for lane in lanes)
    return Plan(
        slots=pool.size,
        rule=pool.rule,
        lanes=lanes,
        provider=provider.value,
        provider_why=why,
        archive=archive.value,
        archive_why=archive_why,
        connections=_connections(provider, settings) | _connections_of_archive(archive, settings),
        memory_bytes=daemon + _slots_bytes(pool, lanes),
        daemon_bytes=daemon,
        memory_basis=costs.BOUNDED_BASIS if bounded else costs.BASIS,
        targets=tuple(_targets(pool, enabled)),
    )


def _sources(targets: Mapping[str, Target]) -> int:
    """Count the sets of variables that jobs with permissions may see: each has a process of its own."""
    grants: set[bool | frozenset[str]] = set()
    for target in targets.values():
        if target.mode is ConfinedMode.CONFINED and target.permissions is not None:
            grant = target.permissions.env
            grants.add(grant if grant is True else frozenset(grant or ()))
    return len(grants)


def _lane(lane: Lane, pool: Pool, settings: "Settings", targets: Mapping[str, Target]) -> LanePlan:
    members = [target for target in targets.values() if target.topic in lane.topics]
    modes = tuple(sorted({mode_of(target) for target in members})) or (settings.runtime.value,)
    return LanePlan(
        topics=lane.topics,
        slots=min(lane.limit, pool.size),
        modes=modes,
        slot_bytes=max(_cost(mode, settings) for mode in modes),
    )


def mode_of(target: Target) -> str:
    """Return where an attempt of `target` runs: a runner mode, or for a task its runtime."""
    if target.concept is Concept.TASK:
        return str(target.type or "task")
    return target.mode.value


def _cost(mode: str, settings: "Settings") -> int:
    if mode == RunnerMode.WEB_WORKER and settings.max_slot_memory_mb is not None:
        return settings.max_slot_memory_mb * _MIB
    return {known.value: cost for known, cost in costs.SLOT_BYTES.items()}.get(mode, costs.TASK_BYTES)


def _slots_bytes(pool: Pool, lanes: tuple[LanePlan, ...]) -> int:
    """Fill the pool with the dearest slots that its lanes can hold at a time."""
    slots = sorted((lane.slot_bytes for lane in lanes for _ in range(lane.slots)), reverse=True)
    return sum(slots[: pool.size])


def _connections(provider: Provider, settings: "Settings") -> dict[str, int]:
    if provider is Provider.MEMORY:
        return {}
    if provider is Provider.DENO_KV:
        return {str(settings.connections.deno_kv_path): costs.QUEUE_FILE_CONNECTIONS}
    if provider is Provider.AMQP:
        return {
            str(settings.connections.amqp_url): costs.AMQP_CONNECTIONS,
            **_connections(resolve_records(settings).provider, settings),
        }
    if provider is Provider.REDIS:
        return {str(settings.connections.redis_url or "redis"): costs.REDIS_CONNECTIONS}
    return {provider.value: 0}  # not available in this version: nothing connects


def _connections_of_archive(archive: ArchivePlace, settings: "Settings") -> dict[str, int]:
    if archive is ArchivePlace.SQLITE:
        return {str(settings.connections.deno_kv_path): costs.QUEUE_FILE_CONNECTIONS}
    return {}


def _targets(pool: Pool, targets: Mapping[str, Target]) -> Iterator[TargetPlan]:
    served = {topic for lane in pool.lanes for topic in lane.topics}
    for target in targets.values():
        if target.topic in served:
            yield TargetPlan(
                id=target.id,
                topic=target.topic,
                mode=mode_of(target),
                attempts=target.max_attempts,
                timeout_ms=target.timeout,
                worst_case_ms=worst_case_ms(target),
                slot_time_ms=target.max_attempts * target.timeout,
            )
