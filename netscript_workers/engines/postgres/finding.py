"""Searches of the history, made of fixed words for the fields that are set, so that each finds its index."""

from typing import Any, Final

from netscript_workers.domain.execution import FINISHED, Status
from netscript_workers.engines.postgres.rows import FINISHED_COLUMNS, UNFINISHED
from netscript_workers.ports.history import HistoryQuery

_ALL: Final = 2**62


def search(queue: int, query: HistoryQuery, *, archive_only: bool = False) -> tuple[str, list[Any]]:
    """Return the statement and its parameters: newest first, live records before archived ones."""
    parameters: list[Any] = [queue, _ALL if query.limit is None else max(query.limit, 0)]
    conditions: list[str] = []
    for column, value in (
        ("target", query.target),
        ("topic", query.topic),
        ("correlation_id", query.correlation_id),
    ):
        if value is not None:
            parameters.append(value)
            conditions.append(f" AND {column} = ${len(parameters)}")
    where = "".join(conditions)
    parts: list[str] = []
    if query.status is None or query.status in FINISHED:
        status = "" if query.status is None else f" AND status = '{query.status.value}'"
        parts += [
            _part(
                "finished", FINISHED_COLUMNS, f"{archived} AS aged", f"archived = {archived}{where}{status}"
            )
            for archived in (("true",) if archive_only else ("false", "true"))
        ]
    if not archive_only and (query.status is None or query.status not in FINISHED):
        parts += [
            _part("execution", UNFINISHED, "false AS aged", f"{status}{where}")
            for status in _unfinished(query.status)
        ]
    inner = " UNION ALL ".join(parts)
    return f"SELECT * FROM ({inner}) AS found ORDER BY aged, seq DESC LIMIT $2", parameters  # noqa: S608 - our own words


def _unfinished(status: Status | None) -> list[str]:
    if status is None:
        return ["status <> 'running'", "status = 'running'"]
    if status is Status.RUNNING:
        return ["status = 'running'"]
    return [f"status = '{status.value}' AND status <> 'running'"]


def _part(table: str, columns: str, aged: str, where: str) -> str:
    return (
        f"(SELECT {columns}, {aged} FROM netscript.{table} "  # noqa: S608 - made of our own words, values are parameters
        f"WHERE queue = $1 AND {where} ORDER BY seq DESC LIMIT $2)"
    )
