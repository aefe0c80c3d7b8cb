"""How settlements are written for the script, and how one whose answer was lost is known again."""

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, Final, NamedTuple

from netscript_workers.domain.execution import FINISHED, Status
from netscript_workers.domain.settlement import Settlement
from netscript_workers.engines.redis.records import Words, encode, line_blobs, new_token, word, writable
from netscript_workers.ports.promises import LINES_KEPT

_MAX_DOUBTS: Final = 20_000
_FIRST_BLOB: Final = 5  # the place in ARGV of what follows time, batch and the two ages


class SettlementBatch(NamedTuple):
    """What the script is given: one row for each settlement, and the bytes that the rows name by their place."""

    rows: Any
    blobs: list[bytes]


class Settling:
    """Numbers settlements, and remembers those whose answer never came under their numbers."""

    def __init__(self) -> None:
        """Begin without doubts."""
        self._doubts: dict[tuple[str, int], tuple[Settlement, int]] = {}

    @contextlib.contextmanager
    def numbered(self, settlements: Sequence[Settlement]) -> Generator[list[int]]:
        """Number what one call settles, in however many pieces; when the `with` fails, all have the same numbers next time."""
        first = new_token()
        marks = [first + place for place in range(len(settlements))]
        if self._doubts:
            for place, one in enumerate(settlements):
                doubt = self._doubts.pop((one.execution_id, one.token), None)
                if doubt is not None and doubt[0] == one:
                    marks[place] = doubt[1]
        try:
            yield marks
        except BaseException:
            if len(self._doubts) > _MAX_DOUBTS:  # whoever gave up on them does not ask again
                self._doubts.clear()
            for one, mark in zip(settlements, marks, strict=True):
                self._doubts[one.execution_id, one.token] = (one, mark)
            raise


def written(settlements: Sequence[Settlement], marks: Sequence[int]) -> SettlementBatch:
    """Write the settlements of one piece under the first of `marks`."""
    blobs: list[bytes] = []
    kinds: dict[tuple[Any, ...], int] = {}
    rows = [_row(one, mark, blobs, kinds) for one, mark in zip(settlements, marks, strict=False)]
    return SettlementBatch((rows, list(kinds)), blobs)


def _row(
    one: Settlement, mark: int, blobs: list[bytes], kinds: dict[tuple[Any, ...], int]
) -> tuple[Any, ...]:
    words = attempt = line = None
    if one.error is not None or one.result is not None:
        blobs.append(encode(Words(writable(one.error), one.result)))
        words = _FIRST_BLOB - 1 + len(blobs)
    record = one.record
    completed = one.status is Status.COMPLETED
    if record is not None and not completed:  # a success is told by the execution's own record
        blobs.append(encode(_safe(record)))
        attempt = _FIRST_BLOB - 1 + len(blobs)
    if one.lines:
        line = _FIRST_BLOB + len(blobs)
        blobs.extend(line_blobs(one.lines[-LINES_KEPT:]))
    finished = one.status in FINISHED
    kind = (one.status, one.max_attempts, one.delay_ms, one.keep_ms, one.archive_ms)
    row = (
        word(one.execution_id),
        one.token,
        mark,
        kinds.setdefault(kind, len(kinds) + 1),
        one.attempt,
        one.started_at,
        one.completed_at if finished else None,
        words,
    )
    used = record is not None and completed and (record.peak_memory, record.cpu_ms) != (None, None)
    if one.exit_code is None and not used and attempt is None and line is None:
        return row
    return (
        *row,
        one.exit_code,
        record.peak_memory if used and record else None,
        record.cpu_ms if used and record else None,
        attempt,
        line,
        min(len(one.lines), LINES_KEPT),
    )


def _safe(record: Any) -> Any:
    if record.error is None:
        return record
    import msgspec

    return msgspec.structs.replace(record, error=writable(record.error))


def size_of(one: Settlement) -> int:
    """Tell about how many bytes a settlement takes up on its way."""
    size = 200 if one.result is None else 200 + len(one.result)
    return size + sum(len(line.line) for line in one.lines) if one.lines else size
