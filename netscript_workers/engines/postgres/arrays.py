"""Columns of a batch as PostgreSQL's array literals.

A list handed to asyncpg is encoded element by element, each first asked whether it is a list itself; with a dozen columns
a row that is most of what a batch costs this process. One text for a column costs a third of it, and is as quick to read there.
"""

from collections.abc import Sequence
from typing import cast


def ints(values: Sequence[int | None]) -> str | None:
    """Return a literal for `integer[]` or `bigint[]`; None when there is nothing in it but None."""
    if None not in values:
        return "{" + ",".join(map(str, values)) + "}"
    if all(value is None for value in values):
        return None
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def texts(values: Sequence[str | None]) -> str | None:
    """Return a literal for `text[]`; None when there is nothing in it but None. Text must be `rows.writable`."""
    if None not in values:
        plain = '","'.join(cast("Sequence[str]", values))
        if "\\" not in plain and plain.count('"') == 2 * (len(values) - 1):
            return '{"' + plain + '"}'
    elif all(value is None for value in values):
        return None
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def _quoted(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
