"""What stands where: the counts of a topic, a worker's word of itself, a dead letter."""

from collections.abc import Mapping
from typing import Final

import msgspec

from netscript_workers.domain.execution import Execution


class TopicDepth(msgspec.Struct, frozen=True, kw_only=True):
    """How much stands in one topic. `oldest_age_ms` is the age of the oldest `queued` one, None when there is none."""

    topic: str
    pending: int
    queued: int
    running: int
    paused: bool
    oldest_age_ms: int | None


MOST_SLOTS: Final = 64
"""How many slots' processes an announcement names."""


class SlotInfo(msgspec.Struct, frozen=True, kw_only=True):
    """One slot's process as its worker last saw it: what it runs (None: it is idle) and its memory in bytes (None: not known)."""

    mode: str
    pid: int
    execution_id: str | None = None
    memory: int | None = None


class WorkerInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker process says of itself. Times are ms since 1970; `degraded` is what it cannot do now, None for nothing.

    `supervisor` is the id of the `workers run` that keeps it, None outside one; `restarts` is how often that started it again.
    `slots` are its slots' processes, `MOST_SLOTS` at the most. `ended` is how many executions came to their end there in a
    second, lately, by topic; one without any is not in it.
    """

    id: str
    host: str
    pid: int
    role: str
    topics: tuple[str, ...]
    slots_total: int
    slots_busy: int
    started_at: int
    last_seen_at: int
    degraded: str | None = None
    supervisor: str | None = None
    restarts: int = 0
    slots: tuple[SlotInfo, ...] = ()
    ended: Mapping[str, float] = msgspec.field(default_factory=dict[str, float])


class DeadLetter(msgspec.Struct, frozen=True, kw_only=True):
    """An execution that failed for good, or garbage from the queue (`execution` None, `raw` as it came)."""

    id: str
    execution: Execution | None
    reason: str
    failed_at: int
    raw: bytes | None = None
