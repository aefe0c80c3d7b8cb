"""What `workers validate --explain` adds: every value with its origin, the provider, and the plan."""

import json
from typing import TYPE_CHECKING, Any, Final

from netscript_workers.cli import render
from netscript_workers.domain.duration import format_duration
from netscript_workers.domain.size import show_size

if TYPE_CHECKING:
    from netscript_workers.cli.verdict import Verdict
    from netscript_workers.config import Plan

_DURATIONS: Final = frozenset({"timeout", "retry_delay", "shutdown_timeout", "lease", "connect_timeout"})


def print_explanation(verdict: "Verdict") -> None:
    """Print the effective values and the plan."""
    render.data("\nEffective values")
    rows = [
        (path, _value(path, origin.value), origin.source.value, origin.detail)
        for path, origin in verdict.origins.items()
    ]
    render.table(("key", "value", "from", "where"), rows)
    if verdict.plan is not None:
        _print_plan(verdict.plan)


def _print_plan(plan: "Plan") -> None:
    render.data("\nPlan of one worker process")
    opened = ", ".join(f"{count} to {name}" for name, count in plan.connections.items()) or "none"
    render.pairs(
        [
            ("provider", f"{plan.provider} ({plan.provider_why})"),
            ("archive", plan.archive_why),
            ("slots", f"{plan.slots} ({plan.rule})"),
            (
                "memory",
                f"{show_size(plan.memory_bytes)}, {show_size(plan.daemon_bytes)} of it the daemon ({plan.memory_basis})",
            ),
            ("connections", opened),
        ]
    )
    render.data("")
    lanes = [
        (", ".join(lane.topics), str(lane.slots), ", ".join(lane.modes), show_size(lane.slot_bytes))
        for lane in plan.lanes
    ]
    render.table(("topics", "slots", "modes", "memory per slot"), lanes, numbers=("slots", "memory per slot"))
    if not plan.targets:
        return
    render.data("")
    targets = [
        (
            target.id,
            target.topic,
            target.mode,
            str(target.attempts),
            format_duration(target.timeout_ms),
            format_duration(target.worst_case_ms),
            format_duration(target.slot_time_ms),
        )
        for target in plan.targets
    ]
    headings = ("target", "topic", "mode", "attempts", "timeout", "gives up within", "holds a slot for")
    render.table(headings, targets, numbers=headings[3:])


def _value(path: str, value: Any) -> str:
    if value is None:
        return "-"
    if path.rpartition(".")[2] in _DURATIONS and isinstance(value, int):
        return format_duration(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
