"""The postgres engine: queue, records and archive in one schema of a PostgreSQL database."""

from netscript_workers.engines.postgres.archive import PostgresArchive
from netscript_workers.engines.postgres.engine import PostgresEngine
from netscript_workers.engines.postgres.migrating import PostgresTables

__all__ = ["PostgresArchive", "PostgresEngine", "PostgresTables"]
