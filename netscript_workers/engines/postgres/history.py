"""The history port over PostgreSQL."""

import time
from collections.abc import Sequence

from netscript_workers.domain.execution import Execution, Progress
from netscript_workers.engines.postgres.bells import Bell
from netscript_workers.engines.postgres.reading import Reading
from netscript_workers.engines.postgres.rows import json_text, record_of, writable
from netscript_workers.engines.postgres.settling import line_row
from netscript_workers.engines.postgres.statements import statement
from netscript_workers.ports.history import JournalEntry, Swept
from netscript_workers.ports.promises import GARBAGE_KEEP_MS, LINES_KEPT


class PostgresHistory(Reading):
    """What can be known of executions."""

    async def record_many(self, entries: Sequence[JournalEntry]) -> None:
        """See `ports.history.History`."""
        ordered = sorted(entries, key=lambda entry: entry.execution_id)
        lines = [
            [*line_row(entry.execution_id, line), entry.token] for entry in ordered for line in entry.lines
        ]
        await self._connections.run(
            statement("report"),
            self._number,
            [entry.execution_id for entry in ordered],
            [entry.token for entry in ordered],
            [None if entry.progress is None else _progress_text(entry.progress) for entry in ordered],
            json_text(lines) if lines else None,
            LINES_KEPT,
        )

    async def wait_for_end(self, execution_ids: Sequence[str], timeout_ms: int) -> list[Execution]:
        """See `ports.history.History`."""
        deadline = time.monotonic() + timeout_ms / 1000
        ids = list(execution_ids)
        async with self._bells.expecting_ends():
            while True:
                heard = self._bells.strokes(Bell.END)
                rows = await self._connections.run(statement("read_ended"), self._number, ids)
                left = deadline - time.monotonic()
                if rows or left <= 0:
                    found = {row[0]: record_of(row) for row in rows}
                    return [found[execution_id] for execution_id in ids if execution_id in found]
                await self._bells.wait(Bell.END, heard, min(left, self._bells.patience_s))

    async def sweep(self, limit: int) -> Swept:
        """See `ports.history.History`."""
        rows = await self._connections.run(statement("sweep"), self._number, limit, self._now())
        await self._connections.run(statement("fold_dead_letters"), self._number)
        garbage = await self._connections.run(
            statement("drop_garbage"), self._number, GARBAGE_KEEP_MS, self._now()
        )
        return Swept(archived=rows[0][0], deleted=rows[0][1] + garbage[0][0])


def _progress_text(progress: Progress) -> str:
    return json_text(Progress(progress.percent, writable(progress.message)))
