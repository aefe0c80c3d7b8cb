"""How executions are written for the scripts and read from them: msgpack, decoded in one go.

What never changes of an execution (`Base`) is bytes to the scripts. What changes is a map that they write, with the names of
`Execution`, so that the two maps side by side are the record.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from netscript_workers.domain.execution import Concept, Execution, LogLine
from netscript_workers.domain.settlement import AttemptRecord

BATCH: Final = 1_000
"""How much one script is given at most: the server does nothing else meanwhile."""
BATCH_BYTES: Final = 8 * 1024 * 1024

_LUA_LIMIT: Final = 1 << 53
_ARRAY_32: Final = b"\xdd"
T = TypeVar("T")


class Base(msgspec.Struct, frozen=True, omit_defaults=True):
    """What never changes of an execution."""

    id: str
    concept: Concept
    payload: bytes
    traceparent: str | None = None
    tracestate: str | None = None


class Words(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an attempt's end says; `token` only where Lua could not hold it (`folded`)."""

    error: str | None = None
    result: bytes | None = None
    token: int | None = None


class Usage(msgspec.Struct, frozen=True):
    """What a record says beyond an `Execution`: what the attempt that succeeded has used."""

    peak_memory: int | None = None
    cpu_ms: int | None = None


encode = msgspec.msgpack.Encoder().encode
read_execution = msgspec.msgpack.Decoder(Execution).decode
read_attempt = msgspec.msgpack.Decoder(AttemptRecord).decode
read_line = msgspec.msgpack.Decoder(tuple[int, LogLine]).decode
_read_usage = msgspec.msgpack.Decoder(Usage).decode
_read_executions = msgspec.msgpack.Decoder(list[Execution]).decode


def read_executions(count: int, side_by_side: bytes) -> list[Execution]:
    """Read `count` records that stand side by side."""
    return _read_executions(_ARRAY_32 + count.to_bytes(4, "big") + side_by_side)


def success_of(record: bytes, execution: Execution) -> AttemptRecord:
    """Build the record of the attempt that succeeded from its execution's."""
    usage = _read_usage(record)
    return AttemptRecord(
        attempt=execution.attempt,
        worker_id=execution.worker_id,
        started_at=execution.started_at,
        completed_at=execution.completed_at or 0,
        exit_code=execution.exit_code,
        peak_memory=usage.peak_memory,
        cpu_ms=usage.cpu_ms,
    )


def writable(text: str | None) -> str | None:
    """Return `text` without what UTF-8 cannot hold (lone surrogates)."""
    return None if text is None else text.encode("utf-8", "replace").decode()


def line_blobs(lines: Sequence[LogLine]) -> list[bytes]:
    """Write log lines, one by one."""
    return [
        encode(LogLine(line.time, line.stream, line.level, line.line.encode("utf-8", "replace").decode()))
        for line in lines
    ]


def new_token() -> int:
    """Return a number that no claim or settlement has had: 52 random bits, as many as Lua can count, with room above."""
    return secrets.randbits(52)


def folded(token: int) -> int:
    """Return `token`, or in the place of one that another engine gave a number that Lua can hold."""
    return token if token < _LUA_LIMIT else token % _LUA_LIMIT


def pieces(items: Sequence[T], size: Callable[[T], int]) -> Iterator[Sequence[T]]:
    """Cut a batch into what one script should be given; nearly always it is the whole."""
    if len(items) <= BATCH and sum(map(size, items)) <= BATCH_BYTES:
        yield items
        return
    start, total = 0, 0
    for place, item in enumerate(items):
        total += size(item)
        if place > start and (place - start >= BATCH or total > BATCH_BYTES):
            yield items[start:place]
            start, total = place, size(item)
    yield items[start:]


def without_none(fields: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is None: a script finds nil where there is nothing."""
    return {name: value for name, value in fields.items() if value is not None}
