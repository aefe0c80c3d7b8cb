"""Why an execution does not run, or why it died: a pure judgement over facts that somebody gathered."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import msgspec

from netscript_workers.domain.execution import DEAD, Execution, Status
from netscript_workers.domain.overview import TopicDepth, WorkerInfo
from netscript_workers.domain.pool import Lane
from netscript_workers.domain.settlement import AttemptRecord
from netscript_workers.domain.target import Target

_LISTED: Final = 5
_CAUSES: Final[Mapping[str, str]] = {
    "failure": "its handler said so; mend what the error names",
    "exception": "its handler raised; mend the handler, or the payload it was given",
    "timeout": "it ran longer than its timeout; raise `timeout`, or let it do less at a time",
    "cancelled": "somebody cancelled it",
    "crash": "its process died: a signal, an exit, or no memory left; look at the exit code and the last lines",
    "lost-worker": "its worker fell silent for longer than its lease: killed, or its loop hung",
    "permission-denied": "it reached for what its permissions do not grant; widen them, or change the program",
    "shutdown": "a shutdown interrupted it; that used up no attempt",
}


class Reason(msgspec.Struct, frozen=True):
    """One reason: `code` is stable, `message` says it, `advice` what to do (empty: nothing to do)."""

    code: str
    message: str
    advice: str = ""


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about one target, and about one execution of it when there is one. `now` is ms since 1970.

    `target_id` and `topic` are what is asked about; `target` is None when this project has none of that id. `running` are running
    executions of the target; `unenforceable` says what of its permissions cannot be enforced on this host. `lane` is what the
    topic belongs to by this project's settings, None when they do not tell; `depth` is that of `topic`, `depths` those of all.
    """

    target_id: str
    topic: str
    now: int
    target: Target | None
    depth: TopicDepth | None
    workers: Sequence[WorkerInfo]
    lane: Lane | None = None
    depths: Sequence[TopicDepth] = ()
    running: Sequence[Execution] = ()
    unenforceable: Sequence[str] = ()
    execution: Execution | None = None
    attempts: Sequence[AttemptRecord] = ()


def why(facts: Facts) -> list[Reason]:
    """Return every reason, the weightiest first; of an execution that runs or is done, what became of it."""
    execution = facts.execution
    if execution is None:
        return [*_hindrances(facts)] or [
            Reason(
                "ready",
                f"nothing keeps {facts.target_id} from running: its executions are claimed as they come",
            )
        ]
    status = execution.status
    if status is Status.COMPLETED:
        return [Reason("completed", "it ran and completed", f"look at it with: workers show {execution.id}")]
    if status is Status.CANCELLED:
        return [
            Reason("cancelled", "somebody cancelled it", f"run it again with: workers retry {execution.id}")
        ]
    if status in DEAD:
        return [*_death(execution, facts.attempts)]
    if status is Status.RUNNING:
        return [
            Reason(
                "running",
                f"it runs on {execution.worker_id}, attempt {execution.attempt} of {execution.max_attempts}, since "
                f"{_seconds(facts.now - (execution.started_at or facts.now))}",
            )
        ]
    return [*_not_due(execution, facts), *_hindrances(facts)] or [
        Reason(
            "next",
            "nothing keeps it: it is claimed as soon as a slot asks for work",
            "look again in a moment",
        )
    ]


def _death(execution: Execution, attempts: Sequence[AttemptRecord]) -> Iterator[Reason]:
    yield Reason(
        "dead",
        f"it is a dead letter ({execution.status.value}) after {execution.attempt} of {execution.max_attempts} attempts: "
        f"{_last_line(execution.error)}",
        f"once mended: workers dead requeue {execution.id}",
    )
    for one in attempts:
        cause = one.cause
        if cause is None:
            continue
        code = "" if one.exit_code is None else f", exit code {one.exit_code}"
        yield Reason(
            f"attempt-{cause}",
            f"attempt {one.attempt}: {cause}{code}: {_last_line(one.error)}",
            _CAUSES.get(cause, ""),
        )


def _not_due(execution: Execution, facts: Facts) -> Iterator[Reason]:
    if execution.status is not Status.PENDING or execution.due_at is None:
        return
    left = execution.due_at - facts.now
    when = f"it is due in {_seconds(left)}" if left > 0 else "it became due just now"
    if execution.attempt:
        failed = (
            f"attempt {execution.attempt} of {execution.max_attempts} failed: {_last_line(execution.error)}"
        )
        yield Reason("waits-for-retry", f"it waits for its retry; {when}; {failed}")
    else:
        yield Reason("not-due", f"it is not due: {when}")


def _hindrances(facts: Facts) -> Iterator[Reason]:
    yield from _of_target(facts)
    yield from _of_topic(facts)


def _of_target(facts: Facts) -> Iterator[Reason]:
    target = facts.target
    if target is None:
        yield Reason(
            "unknown-target",
            f"this project has no job or task {facts.target_id}; a worker without it makes a dead letter of it",
            "deploy it, or see what there is: workers jobs; workers tasks",
        )
        return
    if not target.enabled:
        yield Reason("disabled", f"{target.id} is disabled", "set enabled = true, there or in runtime_dir")
    for missing in facts.unenforceable:
        yield Reason("not-enforceable", missing, "see what this host can enforce: workers doctor")
    limit = target.max_concurrency
    if limit is not None and len(facts.running) >= limit:
        named = ", ".join(one.id for one in facts.running[:_LISTED])
        more = f" and {len(facts.running) - _LISTED} more" if len(facts.running) > _LISTED else ""
        yield Reason(
            "max-concurrency",
            f"max_concurrency = {limit} of {target.id} is reached by {named}{more}",
            "wait for them, or raise max_concurrency",
        )


def _of_topic(facts: Facts) -> Iterator[Reason]:
    topic, depth = facts.topic, facts.depth
    if depth is not None and depth.paused:
        yield Reason("paused", f"the topic {topic} is paused", f"workers resume {topic}")
    serving = [one for one in facts.workers if topic in one.topics]
    if not serving:
        yield Reason(
            "no-worker",
            f"no worker serves the topic {topic}",
            f"start one with: workers worker --topic {topic}",
        )
        return
    for one in serving:
        if one.degraded is not None:
            yield Reason("degraded", f"the worker {one.id} is degraded: {one.degraded}")
    busy = _slots_all_busy(facts, serving)
    if busy is not None:
        ahead = "" if depth is None else f"; {depth.queued} wait in the topic"
        yield Reason(
            "topic-full",
            f"all {busy} slots that the topic {topic} has on {_workers(len(serving))} are busy{ahead}",
            "raise concurrency, or start another worker",
        )


def _slots_all_busy(facts: Facts, serving: Sequence[WorkerInfo]) -> int | None:
    """Return how many slots the topic has when none is free, else None.

    What workers announce is seconds old and counts all their lanes, so one full lane among idle ones does not show in it. The
    engine's count of what runs is of this moment; the settings say how many of each worker's slots the lane may have.
    """
    if all(one.slots_busy >= one.slots_total for one in serving):
        return sum(one.slots_busy for one in serving)
    lane = facts.lane
    if lane is None:
        return None
    slots = sum(min(one.slots_total, lane.limit) for one in serving)
    # Topics of the lane that other workers serve, too, may be running there.
    here = {one.id for one in serving}
    mates = {
        topic for topic in lane.topics if {one.id for one in facts.workers if topic in one.topics} == here
    }
    running = sum(each.running for each in facts.depths if each.topic in mates)
    return slots if running >= slots else None


def _workers(number: int) -> str:
    return "1 worker" if number == 1 else f"{number} workers"


def _last_line(text: str | None) -> str:
    lines = [line.strip() for line in (text or "").splitlines() if line.strip()]
    if not lines:
        return "no reason given"
    return lines[-1] if lines[0].startswith("Traceback") else lines[0]


def _seconds(ms: int) -> str:
    return f"{max(ms, 0) / 1000:.1f} s"
