"""How executions are written for the scripts and read from them: msgpack, decoded in one go.

What never changes of an execution (`Base`) is bytes to the scripts. What changes is a map that they write, with the names of
`Execution`, so that the maps of a record, made one, are an `Execution`.
"""

import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from netscript_workers.domain.execution import Concept, Execution, LogLine, NewExecution
from netscript_workers.domain.settlement import AttemptRecord

BATCH: Final = 1_000
"""How much one script is given at most: the server does nothing else meanwhile."""
BATCH_BYTES: Final = 8 * 1024 * 1024

_LUA_LIMIT: Final = 1 << 53
_SHORT: Final = 16
_FIX_TEXTS: Final = tuple(bytes((0xA0 + size,)) for size in range(32))  # how a short text begins in msgpack
_is_uuid7: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\Z").match
_ARRAY_32: Final = b"\xdd"
_FIX_MAP: Final = 0x80  # the first byte of a map of up to 15 entries, less their number
_MAP_16: Final = 0xDE  # the first byte of a larger one; two bytes of their number follow
_HEADS: Final = tuple(bytes((_MAP_16, 0, entries)) for entries in range(100))
T = TypeVar("T")


class Base(msgspec.Struct, frozen=True, omit_defaults=True):
    """What never changes of an execution."""

    id: str
    concept: Concept
    target: str
    topic: str
    priority: int
    payload: bytes
    correlation_id: str | None = None
    idempotency_key: str | None = None
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
read_attempt = msgspec.msgpack.Decoder(AttemptRecord).decode
read_line = msgspec.msgpack.Decoder(tuple[int, LogLine]).decode
_read_usage = msgspec.msgpack.Decoder(Usage).decode
_read_execution = msgspec.msgpack.Decoder(Execution).decode
_read_executions = msgspec.msgpack.Decoder(list[Execution]).decode


def read_claimed(maps: Sequence[bytes]) -> list[Execution]:
    """Read records of two maps each, one after the other, in one go: the way of every run."""
    parts = [_ARRAY_32 + (len(maps) // 2).to_bytes(4, "big")]
    for place in range(0, len(maps), 2):
        base, state = maps[place], maps[place + 1]
        first = state[0]
        if first < _MAP_16:
            parts += (_HEADS[base[0] + first - 2 * _FIX_MAP], base[1:], state[1:])
        else:
            parts += (_HEADS[base[0] - _FIX_MAP + state[2]], base[1:], state[3:])
    return _read_executions(b"".join(parts))


def joined(record: Sequence[bytes | None]) -> bytes:
    """Make one map of those that a record consists of."""
    total, parts = 0, [b""]
    for each in record:
        if each is None:
            continue
        if each[0] < _MAP_16:
            total += each[0] - _FIX_MAP
            parts.append(each[1:])
        else:
            total += each[2]
            parts.append(each[3:])
    parts[0] = _HEADS[total]
    return b"".join(parts)


def read_execution(record: Sequence[bytes | None]) -> Execution:
    """Read one record."""
    return _read_execution(joined(record))


def success_of(record: Sequence[bytes | None], execution: Execution) -> AttemptRecord:
    """Build the record of the attempt that succeeded from its execution's."""
    usage = _read_usage(joined(record))
    return AttemptRecord(
        attempt=execution.attempt,
        worker_id=execution.worker_id,
        started_at=execution.started_at,
        completed_at=execution.completed_at or 0,
        exit_code=execution.exit_code,
        peak_memory=usage.peak_memory,
        cpu_ms=usage.cpu_ms,
    )


def base_of(one: NewExecution | Execution) -> bytes:
    """Write what never changes of an execution."""
    return encode(
        Base(
            one.id,
            one.concept,
            one.target,
            one.topic,
            one.priority,
            one.payload,
            one.correlation_id,
            one.idempotency_key,
            one.traceparent,
            one.tracestate,
        )
    )


def short(execution_id: str) -> bytes:
    """Return an id as the keys have it: the sixteen bytes of a UUIDv7, or what else it is.

    Lua looks at every second character of a longer text only, so that the ids of one batch would look alike to it.
    """
    return bytes.fromhex(execution_id.replace("-", "")) if _is_uuid7(execution_id) else execution_id.encode()


def long(short_id: bytes) -> str:
    """Take `short` back."""
    if len(short_id) == _SHORT and short_id[6] >> 4 == 7 and short_id[8] >> 6 == 2:  # noqa: PLR2004 - version and variant of RFC 9562
        text = short_id.hex()
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
    return short_id.decode()


def word(execution_id: str) -> msgspec.Raw:
    """Write a short id as the text that scripts take it for, whatever its bytes."""
    raw = short(execution_id)
    size = len(raw)
    return msgspec.Raw(
        (_FIX_TEXTS[size] if size < len(_FIX_TEXTS) else b"\xdb" + size.to_bytes(4, "big")) + raw
    )


def words(execution_ids: Iterable[str]) -> list[msgspec.Raw]:
    """Write short ids."""
    return [word(each) for each in execution_ids]


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
