"""Metrics in Prometheus text: what a scrape asks for, written from a tally and a look at the worker."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from netscript_workers.domain.overview import TopicDepth
from netscript_workers.ports.runner import SlotReport
from netscript_workers.telemetry.tally import BOUNDS_MS, Histogram, Tally

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_TARGET: Final = ("topic", "target")


class QueueView(msgspec.Struct, frozen=True, kw_only=True):
    """What the engine says of the whole queue."""

    depths: Sequence[TopicDepth]
    dead_letters: int


class Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    """A worker at the moment of a scrape. `queue` is None when the engine does not answer, `lag_ms` without a scheduler.

    `calls` and `errors` are what was asked of the engine, by what for. `started_at` is ms since 1970.
    """

    version: str
    role: str
    started_at: int
    slots_total: int
    slots_busy: int
    slots: Sequence[SlotReport]
    ready: bool
    degraded: bool
    calls: Mapping[str, int]
    errors: Mapping[str, int]
    queue: QueueView | None
    lag_ms: float | None = None


def exposition(tally: Tally, now: Snapshot) -> bytes:
    """Return the whole answer to a scrape."""
    from prometheus_client import CollectorRegistry, generate_latest

    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Families([*_of_runs(tally), *_of_worker(now), *_of_queue(now)]))
    return generate_latest(registry)


class _Families:
    """A collector of families that are there already."""

    def __init__(self, families: "list[Metric]") -> None:
        self._families = families

    def describe(self) -> "Iterable[Metric]":
        return []

    def collect(self) -> "Iterable[Metric]":
        return self._families


def _of_runs(tally: Tally) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily

    ended = CounterMetricFamily(
        "workers_executions", "Executions that ended, by outcome.", labels=(*_TARGET, "outcome")
    )
    failures = CounterMetricFamily(
        "workers_attempt_failures", "Attempts that did not succeed, by cause.", labels=(*_TARGET, "cause")
    )
    retries = CounterMetricFamily("workers_retries", "Attempts that are retried.", labels=_TARGET)
    dead = CounterMetricFamily(
        "workers_dead_lettered", "Executions that became dead letters.", labels=_TARGET
    )
    duration = HistogramMetricFamily(
        "workers_execution_duration_seconds", "How long attempts took.", labels=_TARGET
    )
    wait = HistogramMetricFamily(
        "workers_queue_wait_seconds", "How long due executions waited for a slot.", labels=_TARGET
    )
    for labels, one in tally.targets.items():
        for outcome, count in (("completed", one.completed), *one.outcomes.items()):
            ended.add_metric((*labels, outcome), count)
        for cause, count in one.causes.items():
            failures.add_metric((*labels, cause), count)
        retries.add_metric(labels, one.retries)
        dead.add_metric(labels, one.outcomes.get("failed", 0) + one.outcomes.get("timeout", 0))
        for family, histogram in ((duration, one.duration), (wait, one.wait)):
            family.add_metric(labels, _cumulated(histogram), histogram.sum_ms / 1000)
    yield from (ended, failures, retries, dead, duration, wait)


def _cumulated(histogram: Histogram) -> list[tuple[str, float]]:
    total = 0
    buckets: list[tuple[str, float]] = []
    for bound, count in zip((*BOUNDS_MS, None), histogram.counts, strict=True):
        total += count
        buckets.append(("+Inf" if bound is None else repr(bound / 1000), total))
    return buckets


def _of_worker(now: Snapshot) -> "Iterator[Metric]":
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    build = GaugeMetricFamily("workers_build_info", "This version.", labels=("version", "role"))
    build.add_metric((now.version, now.role), 1)
    yield build
    figures = (
        ("process_start_time_seconds", "When this process started, since 1970.", now.started_at / 1000),
        ("workers_slots", "Slots of this worker.", now.slots_total),
        ("workers_slots_busy", "Slots that run something.", now.slots_busy),
        ("workers_ready", "1 while this worker consumes.", now.ready),
        ("workers_degraded", "1 while the engine fails at something.", now.degraded),
        ("workers_queue_up", "1 when the engine answered this scrape.", now.queue is not None),
    )
    for name, meaning, value in figures:
        yield GaugeMetricFamily(name, meaning, value=float(value))
    if now.lag_ms is not None:
        yield GaugeMetricFamily(
            "workers_scheduler_lag_seconds", "How late the last tick was enqueued.", value=now.lag_ms / 1000
        )
    processes = GaugeMetricFamily("workers_slot_processes", "Processes of slots.", labels=("mode",))
    memory = GaugeMetricFamily(
        "workers_slot_memory_bytes", "Memory of slots, shared pages divided.", labels=("mode",)
    )
    for mode in sorted({slot.mode for slot in now.slots}):
        mine = [slot for slot in now.slots if slot.mode == mode]
        processes.add_metric((mode,), len({slot.pid for slot in mine}))
        if known := {slot.pid: slot.memory for slot in mine if slot.memory is not None}:
            memory.add_metric((mode,), sum(known.values()))
    yield from (processes, memory)
    calls = CounterMetricFamily("workers_engine_calls", "Calls of the engine.", labels=("call",))
    errors = CounterMetricFamily(
        "workers_engine_errors", "Calls of the engine that failed.", labels=("call",)
    )
    for family, counts in ((calls, now.calls), (errors, now.errors)):
        for what, count in sorted(counts.items()):
            family.add_metric((what.replace(" ", "_"),), count)
        yield family


def _of_queue(now: Snapshot) -> "Iterator[Metric]":
    from prometheus_client.core import GaugeMetricFamily

    if now.queue is None:
        return
    yield GaugeMetricFamily(
        "workers_dead_letters", "Dead letters of the queue.", value=now.queue.dead_letters
    )
    depth = GaugeMetricFamily("workers_queue_depth", "Unfinished executions.", labels=("topic", "status"))
    oldest = GaugeMetricFamily(
        "workers_queue_oldest_age_seconds", "Age of the oldest queued execution.", labels=("topic",)
    )
    paused = GaugeMetricFamily("workers_topic_paused", "1 while a topic is paused.", labels=("topic",))
    for one in now.queue.depths:
        for status, count in (("pending", one.pending), ("queued", one.queued), ("running", one.running)):
            depth.add_metric((one.topic, status), count)
        oldest.add_metric((one.topic,), (one.oldest_age_ms or 0) / 1000)
        paused.add_metric((one.topic,), one.paused)
    yield from (depth, oldest, paused)
