"""Contexts and observers for tests of handlers."""

from dataclasses import dataclass, field
from typing import Any

import msgspec

from netscript_workers.authoring.context import JobContext
from netscript_workers.authoring.handler import Handler, build_handler
from netscript_workers.authoring.invoke import invoke_async, invoke_sync
from netscript_workers.domain.execution import Execution, LogLine, Progress, Status, TriggeredBy
from netscript_workers.domain.outcome import Outcome
from netscript_workers.domain.target import Concept


@dataclass
class Recorder:
    """Keeps what a run reports."""

    reports: list[Progress] = field(default_factory=list)
    kept: list[LogLine] = field(default_factory=list)

    def progress(self, progress: Progress) -> None:
        self.reports.append(progress)

    def lines(self, lines: Any) -> None:
        self.kept.extend(lines)


def execution(payload: Any = None, **fields: Any) -> Execution:
    raw = payload if isinstance(payload, bytes) else msgspec.json.encode({} if payload is None else payload)
    values: dict[str, Any] = {
        "id": "01938f6e-0000-7000-8000-000000000001",
        "concept": Concept.JOB,
        "target": "under-test",
        "topic": "default",
        "status": Status.RUNNING,
        "triggered_by": TriggeredBy.MANUAL,
        "triggered_at": 0,
        "priority": 50,
        "attempt": 1,
        "max_attempts": 4,
        **fields,
    }
    return Execution(payload=raw, **values)


def context(payload: Any = None, observer: Recorder | None = None, **fields: Any) -> JobContext:
    return JobContext(
        execution=execution(payload, **fields),
        max_attempts=4,
        deadline=4_000_000_000_000,
        observer=observer or Recorder(),
    )


def handler_of(function: Any, target_id: str = "under-test") -> Handler:
    return build_handler(function, target_id)


async def run(function: Any, payload: Any = None, observer: Recorder | None = None) -> Outcome:
    """Run a function as its mode would: a plain one by `invoke_sync`, an async one by `invoke_async`."""
    handler = handler_of(function)
    ctx = context(payload, observer)
    return await invoke_async(handler, ctx) if handler.is_async else invoke_sync(handler, ctx)
