"""A batch of new executions as the parameters of one statement, and its answer."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

from netscript_workers.domain.execution import Enqueued, NewExecution
from netscript_workers.engines.postgres.arrays import ints, texts
from netscript_workers.engines.postgres.base import new_token
from netscript_workers.engines.postgres.rows import writable
from netscript_workers.ports.promises import KEY_HOLDS_MS

# The types of the parameters of `netscript.enqueue`, for drivers that must be told; arrays come as literals.
TYPES: Final = (
    "integer",
    *("text[]",) * 4,
    "integer[]",
    "bigint[]",
    "integer[]",
    *("text[]",) * 5,
    "bytea[]",
    "bigint",
    "bigint",
    "bigint",
)


def parameters(queue: int, requests: Sequence[NewExecution], now: int | None) -> list[Any]:
    """Return the parameters of `enqueue.sql`."""
    return [
        queue,
        texts([writable(new.id) for new in requests]),
        texts([new.concept.value for new in requests]),
        texts([writable(new.target) for new in requests]),
        texts([writable(new.topic) for new in requests]),
        ints([new.priority for new in requests]),
        ints([new.delay_ms for new in requests]),
        ints([new.max_attempts for new in requests]),
        texts([new.triggered_by.value for new in requests]),
        texts([writable(new.idempotency_key) for new in requests]),
        texts([writable(new.correlation_id) for new in requests]),
        texts([writable(new.traceparent) for new in requests]),
        texts([writable(new.tracestate) for new in requests]),
        [new.payload for new in requests],
        new_token(),
        KEY_HOLDS_MS,
        now,
    ]


def answers(requests: Sequence[NewExecution], there_before: Iterable[Any]) -> list[Enqueued]:
    """Return an answer for each request; `there_before` are the rows (place from 1, id that stands) of the statement."""
    told = [Enqueued(new.id) for new in requests]
    for place, holder in there_before:
        told[place - 1] = Enqueued(holder, deduplicated=True)
    return told
