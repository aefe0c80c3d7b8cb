"""What one operation sees of the transaction that it shares with others."""

import sqlite3
from collections.abc import Callable
from typing import Any, TypeVar

from netscript_workers.engines.deno_kv.bells import Bell

T = TypeVar("T")


class Transaction:
    """The connection inside the group's transaction, and the bells to ring after the commit."""

    def __init__(self, db: sqlite3.Connection, bells: set[Bell]) -> None:
        """Work on `db`."""
        self.db = db
        self.bells = bells

    def one(self, statement: str, parameters: dict[str, Any]) -> Any:
        """Run a statement that returns one value and return it."""
        row = self.db.execute(statement, parameters).fetchone()
        return None if row is None else row[0]

    def run(self, statement: str, parameters: dict[str, Any]) -> int:
        """Run a statement and return how many rows it changed."""
        return self.db.execute(statement, parameters).rowcount


Operation = Callable[[Transaction], T]
