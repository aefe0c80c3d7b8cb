"""The searches of the history: each walks the one index that its set fields ask for. Values are parameters."""

from typing import Final

from netscript_workers.domain.execution import FINISHED, Status
from netscript_workers.ports.history import HistoryQuery

LIVE: Final = "netscript_execution"
RESTING: Final = "netscript_archive"

_PAIR: Final = {LIVE: "netscript_of_pair", RESTING: "netscript_archive_of_pair"}
_OF_TOPIC: Final = {LIVE: "netscript_of_topic", RESTING: "netscript_archive_of_topic"}
_OTHERWISE: Final = {LIVE: "netscript_otherwise", RESTING: "netscript_archive_otherwise"}
# To the letter as the indexes have it, else SQLite does not see that they hold all that is searched.
_NOT_COMPLETED: Final = "status IN ('failed', 'timeout', 'cancelled')"
_CORRELATED: Final = {LIVE: "netscript_correlated", RESTING: "netscript_archive_correlated"}
_COLUMNS: Final = "queue, seq, id, status, target, topic, correlation_id, archive_at"
# Where the unfinished are found without a walk through the finished: the small indexes that hold nothing else.
_UNFINISHED: Final = {
    Status.PENDING: "netscript_execution INDEXED BY netscript_due",
    Status.RUNNING: "netscript_execution INDEXED BY netscript_running",
    Status.QUEUED: (
        f"(SELECT {_COLUMNS} FROM netscript_execution INDEXED BY netscript_claimable "  # noqa: S608 - our own words
        "WHERE queue = :queue AND status = 'queued' AND parked = 0 UNION ALL "
        f"SELECT {_COLUMNS} FROM netscript_execution INDEXED BY netscript_parked "
        "WHERE queue = :queue AND status = 'queued' AND parked = 1)"
    ),
}


def finding(source: str, query: HistoryQuery) -> str:
    """Build the search in the table `source` that the set fields ask for: a literal status lets a partial index serve it."""
    conditions = _conditions(source, query)
    if query.correlation_id is not None:
        rows = f"{source} INDEXED BY {_CORRELATED[source]}"
    elif query.status is not None and query.status in _UNFINISHED:
        rows = _UNFINISHED[query.status]
    elif query.target is not None:
        return _of_target(source, query, conditions)
    elif len(conditions) == 1:
        return _NEWEST.format(source=source, rows=source, group=conditions[0], where=conditions[0])
    elif query.topic is None:
        rows = source
    elif query.status is None or query.status is Status.COMPLETED:
        rows = f"{source} INDEXED BY {_OF_TOPIC[source]}"
    else:
        rows = f"{source} INDEXED BY {_OTHERWISE[source]}_of_topic"
        conditions.append(_NOT_COMPLETED)
    return _SEARCH.format(rows=rows, where=" AND ".join(conditions))


def _conditions(source: str, query: HistoryQuery) -> list[str]:
    conditions = ["queue = :queue"]
    if query.target is not None:
        conditions.append("target = :target")
    if query.topic is not None:
        conditions.append("topic = :topic")
    if query.correlation_id is not None:
        conditions.append("correlation_id = :correlation")
    if query.status is not None:
        conditions.append(f"status = '{query.status.value}'")
        if query.status in FINISHED and source == LIVE:
            conditions.append("archive_at IS NOT NULL")
    return conditions


def _of_target(source: str, query: HistoryQuery, conditions: list[str]) -> str:
    """Search in an index of targets and topics: there is one of all, and one of those that did not complete."""
    group = conditions[:2]
    if query.status is None or (query.status is Status.COMPLETED and source == LIVE):
        rows = f"{source} INDEXED BY {_PAIR[source]}"
    elif query.status is Status.COMPLETED:
        rows = (
            f"{source} INDEXED BY netscript_archive_of_{'target_status' if query.topic is None else 'pair'}"
        )
        return _SEARCH.format(rows=rows, where=" AND ".join(conditions))
    else:
        rows = f"{source} INDEXED BY {_OTHERWISE[source]}"
        group.append(_NOT_COMPLETED)
        conditions = [*conditions, _NOT_COMPLETED]
    where = " AND ".join(conditions)
    if query.topic is not None:
        return _SEARCH.format(rows=rows, where=where)
    return _NEWEST.format(source=source, rows=rows, group=" AND ".join(group), where=where)


_SEARCH: Final = """
SELECT json_group_array(id) FROM (SELECT id FROM {rows} WHERE {where} ORDER BY seq DESC LIMIT :limit)
"""
# No index holds all rows of a queue, or of a target, in their order, but one holds those of each topic. So the topics are found
# by leaping from one to the next, and the newest are chosen among the newest of each.
_NEWEST: Final = """
WITH RECURSIVE topics (topic) AS (
  SELECT (SELECT topic FROM {rows} WHERE {group} ORDER BY topic LIMIT 1)
  UNION ALL
  SELECT (SELECT topic FROM {rows} WHERE {group} AND topic > topics.topic ORDER BY topic LIMIT 1)
  FROM topics WHERE topics.topic IS NOT NULL
)
SELECT json_group_array(id) FROM (
  SELECT e.id
  FROM topics
  CROSS JOIN json_each((
    SELECT json_group_array(seq) FROM (
      SELECT seq FROM {rows} WHERE {where} AND topic = topics.topic ORDER BY seq DESC LIMIT :limit
    )
  )) AS newest
  CROSS JOIN {source} AS e ON e.seq = newest.value
  ORDER BY e.seq DESC
  LIMIT :limit
)
"""
