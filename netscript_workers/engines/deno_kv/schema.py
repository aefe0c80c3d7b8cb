"""Makes what is missing in the file and refuses what it must not touch."""

import sqlite3
from pathlib import Path
from typing import Final

from netscript_workers.engines.deno_kv.statements import Statements
from netscript_workers.engines.deno_kv.times import boot_id
from netscript_workers.errors import EngineFormatError

DENO_VERSION: Final = 3
OUR_VERSION: Final = 7


def prepare(db: sqlite3.Connection, path: Path, queue_name: str, statements: Statements) -> int:
    """Bring the file to the newest layout, in one transaction, and return the number of `queue_name`.

    Raises `EngineFormatError` for a file of a Deno or of a netscript-workers that is newer than this one.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        refuse_unknown(db, path)
        _prepare_deno(db, statements)
        _prepare_ours(db, statements)
        db.execute("INSERT OR IGNORE INTO netscript_queue (name) VALUES (?)", (queue_name,))
        row = db.execute("SELECT number FROM netscript_queue WHERE name = ?", (queue_name,)).fetchone()
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return int(row[0])


def refuse_unknown(db: sqlite3.Connection, path: Path) -> None:
    """Raise `EngineFormatError` for a file whose layout this version does not know; an empty one is fine."""
    version = _version(db, "migration_state")
    if version is not None and version != DENO_VERSION:
        newer = version > DENO_VERSION
        raise EngineFormatError(
            f"{path} was made by a Deno {'newer' if newer else 'older'} than 2.9 (its layout is {version}, "
            f"this version knows {DENO_VERSION}). "
            + (
                "Use a newer netscript-workers, or another file."
                if newer
                else "Open it once with Deno 2.9, which brings it up to date, or use another file."
            )
        )
    version = _version(db, "netscript_schema")
    if version is not None and version > OUR_VERSION:
        raise EngineFormatError(
            f"{path} was written by a newer netscript-workers (layout {version}, this one knows {OUR_VERSION}). "
            "Upgrade this installation, or use another file."
        )


def _prepare_deno(db: sqlite3.Connection, statements: Statements) -> None:
    if _version(db, "migration_state") is None:
        for statement in statements.script("schema_deno"):
            db.execute(statement)


def _prepare_ours(db: sqlite3.Connection, statements: Statements) -> None:
    version = _version(db, "netscript_schema") or 0
    for step in range(version + 1, OUR_VERSION + 1):
        for statement in statements.script(f"schema_{step:03d}"):
            db.execute(statement)
    now = boot_id()
    (before,) = db.execute("SELECT boot_id FROM netscript_schema").fetchone()
    if before != now:
        db.execute(statements["void_leases"])
        db.execute("UPDATE netscript_schema SET boot_id = ?", (now,))


def _version(db: sqlite3.Connection, table: str) -> int | None:
    there = db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (table,)).fetchone()
    if there is None:
        return None
    row = db.execute(f"SELECT version FROM {table} WHERE k = 0").fetchone()  # noqa: S608 - a name of ours
    return None if row is None else int(row[0])
