"""The postgres engine: queue, records and archive in one schema of a PostgreSQL database."""

from netscript_workers.engines.postgres.archive import PostgresArchive
from netscript_workers.engines.postgres.engine import PostgresEngine

__all__ = ["PostgresArchive", "PostgresEngine"]
