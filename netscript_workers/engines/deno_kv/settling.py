"""How attempts end: one update for the batch, then the attempt records and log lines of those it reached."""

from collections.abc import Sequence
from typing import Any

from netscript_workers.domain.execution import FINISHED, LogLine, Status
from netscript_workers.domain.settlement import Action, Settlement
from netscript_workers.engines.deno_kv.base import new_token
from netscript_workers.engines.deno_kv.bells import Bell
from netscript_workers.engines.deno_kv.rows import batch, read_texts, writable
from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.transaction import Transaction
from netscript_workers.engines.deno_kv.undelivered import Undelivered
from netscript_workers.ports.promises import CANCELLED_ARCHIVE_MS, CANCELLED_KEEP_MS, LINES_KEPT


class Settling:
    """One batch of settlements, within a transaction."""

    def __init__(self, sql: Statements, queue: int, settlements: Sequence[Settlement], now: int) -> None:
        """Prepare to write `settlements` at the wall time `now` (ms)."""
        self._sql = sql
        self._queue = queue
        self._settlements = settlements
        self._now = now
        self._rows = batch([_row(one, now) for one in settlements])

    def perform(self, tx: Transaction) -> list[bool]:
        """Write, and tell which settlements were applied."""
        if len({one.execution_id for one in self._settlements}) < len(self._settlements):
            alone = (Settling(self._sql, self._queue, [one], self._now) for one in self._settlements)
            return [ok for settling in alone for ok in settling.perform(tx)]
        token = new_token()
        count = tx.run(self._sql["settle"], {"queue": self._queue, "token": token, "batch": self._rows})
        applied = [True] * len(self._settlements)
        if count < len(self._settlements):
            reached = set(
                read_texts(
                    tx.one(
                        self._sql["reached"],
                        {
                            "queue": self._queue,
                            "token": token,
                            "ids": batch([one.execution_id for one in self._settlements]),
                        },
                    )
                )
            )
            applied = [one.execution_id in reached for one in self._settlements]
        done = [one for one, ok in zip(self._settlements, applied, strict=True) if ok]
        self._add_attempts(tx, token, done)
        add_lines(tx, self._sql, self._queue, [(one.execution_id, token, one.lines) for one in done])
        self._halt_cancelled(tx, token, done)
        Undelivered(self._sql, self._queue).end(tx, [one.execution_id for one in done])
        if done:
            tx.bells.add(Bell.SETTLED)
            if any(one.action in (Action.RETRY, Action.GIVE_BACK) for one in done) or tx.one(
                self._sql["is_parked"], {"queue": self._queue}
            ):
                tx.bells.add(Bell.WORK)
        return applied

    def _add_attempts(self, tx: Transaction, token: int, done: list[Settlement]) -> None:
        records = [
            [
                one.execution_id,
                one.record.attempt,
                one.record.worker_id,
                one.record.started_at,
                one.record.completed_at,
                one.record.cause,
                writable(one.record.error),
                one.record.exit_code,
                one.record.peak_memory,
                one.record.cpu_ms,
            ]
            for one in done
            if one.record is not None and one.status is not Status.COMPLETED
        ]
        if records:
            tx.run(
                self._sql["add_attempts"],
                {"queue": self._queue, "token": token, "batch": batch(records)},
            )

    def _halt_cancelled(self, tx: Transaction, token: int, done: list[Settlement]) -> None:
        """End what would go back into the queue although somebody asked to cancel it."""
        returned = [one.execution_id for one in done if one.action in (Action.RETRY, Action.GIVE_BACK)]
        if returned:
            archive_at = self._now + CANCELLED_KEEP_MS
            tx.run(
                self._sql["halt"],
                {
                    "queue": self._queue,
                    "token": token,
                    "ids": batch(returned),
                    "now": self._now,
                    "archive_at": archive_at,
                    "delete_at": archive_at + CANCELLED_ARCHIVE_MS,
                },
            )


def add_lines(
    tx: Transaction,
    sql: Statements,
    queue: int,
    groups: Sequence[tuple[str, int, Sequence[LogLine]]],
) -> None:
    """Put the lines of some executions (id, live token, lines) behind those kept, and keep the last ones only."""
    speaking = [(execution_id, token, lines) for execution_id, token, lines in groups if lines]
    if not speaking:
        return
    rows = [
        [execution_id, token, line.time, line.stream, line.level, writable(line.line)]
        for execution_id, token, lines in speaking
        for line in lines
    ]
    tx.run(sql["add_lines"], {"queue": queue, "batch": batch(rows)})
    tx.run(
        sql["trim_lines"],
        {"queue": queue, "ids": batch([each[0] for each in speaking]), "keep": LINES_KEPT},
    )


def _row(one: Settlement, now: int) -> list[Any]:
    finished = one.status in FINISHED
    usage = one.record if one.status is Status.COMPLETED else None
    archive_at = now + one.keep_ms if finished else None
    return [
        one.execution_id,
        one.token,
        one.status,
        one.attempt,
        one.max_attempts,
        now + one.delay_ms if one.status is Status.PENDING else None,
        one.started_at,
        (one.completed_at or now) if finished else None,
        archive_at,
        None if archive_at is None else archive_at + one.archive_ms,
        writable(one.error),
        None if one.result is None else one.result.decode(),
        one.exit_code,
        usage.peak_memory if usage else None,
        usage.cpu_ms if usage else None,
    ]
