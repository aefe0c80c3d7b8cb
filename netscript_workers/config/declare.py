"""From the tables of the config to declarations, the form in which the catalog takes them in."""

from typing import TYPE_CHECKING

from netscript_workers.config.place import Place
from netscript_workers.domain.target import DB_DAYS, KV_DAYS, Concept, Declaration, Limits, Retention, Source

if TYPE_CHECKING:
    from collections.abc import Sequence

    from netscript_workers.config.definitions import GroupTable, JobTable, RetentionTable, TaskTable


def declare(
    jobs: "Sequence[JobTable]", tasks: "Sequence[TaskTable]", groups: "Sequence[GroupTable]"
) -> list[tuple[Place, Declaration]]:
    """Return every job and task with its place, groups' values handed down, in the order of the file's keys."""
    by_topic = {group.topic: group for group in groups}
    members: list[tuple[JobTable | TaskTable, GroupTable | None]] = [
        *((table, None) for table in jobs),
        *((table, None) for table in tasks),
        *((table, group) for group in groups for table in (*group.jobs, *group.tasks)),
    ]
    return [
        (table.place, _declare(table, group, group or by_topic.get(table.topic or "")))
        for table, group in members
    ]


def _declare(
    table: "JobTable | TaskTable", group: "GroupTable | None", heir_of: "GroupTable | None"
) -> Declaration:
    from netscript_workers.config.definitions import JobTable

    is_job = isinstance(table, JobTable)
    limits = table.limits
    return Declaration(
        id=table.id,
        concept=Concept.JOB if is_job else Concept.TASK,
        source=Source.CONFIG,
        file=table.place.file,
        line=table.place.line,
        name=table.name,
        entrypoint=table.entrypoint,
        topic=group.topic if group else table.topic,
        description=table.description,
        schedule=table.schedule,
        timezone=table.timezone,
        catch_up=table.catch_up,
        timeout=table.timeout,
        max_retries=table.max_retries,
        retry_delay=table.retry_delay,
        backoff=table.backoff,
        max_concurrency=table.max_concurrency,
        priority=table.priority,
        permissions=table.permissions.to_domain() if table.permissions else None,
        limits=Limits(**limits.model_dump()) if limits else None,
        runtime=(table.runtime or (heir_of.runtime if heir_of else None)) if is_job else None,
        tags=table.tags,
        metadata=table.metadata,
        retention=_retention(table.retention, heir_of.retention if heir_of else None),
        enabled=table.enabled,
        type=None if is_job else table.type,
        args=None if is_job else table.args,
        env=None if is_job else table.env,
        cwd=None if is_job else table.cwd,
        import_map_url=None if is_job else table.import_map_url,
        persist=None if is_job else table.persist,
    )


def _retention(own: "RetentionTable | None", inherited: "RetentionTable | None") -> Retention | None:
    """Lay the target's own retention over its group's, day count by day count."""
    tables = [table for table in (own, inherited) if table is not None]
    if not tables:
        return None
    kv_days = next((table.kv_days for table in tables if table.kv_days is not None), KV_DAYS)
    db_days = next((table.db_days for table in tables if table.db_days is not None), DB_DAYS)
    return Retention(kv_days=kv_days, db_days=db_days)
