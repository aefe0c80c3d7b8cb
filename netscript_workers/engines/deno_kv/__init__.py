"""The embedded engine: a SQLite file in the layout of Deno KV, with our tables beside Deno's."""

from netscript_workers.engines.deno_kv.archive import SqliteArchive
from netscript_workers.engines.deno_kv.engine import DenoKvEngine

__all__ = ["DenoKvEngine", "SqliteArchive"]
