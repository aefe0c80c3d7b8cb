"""The tables of a database, as an operator brings them up to date."""

from enum import Enum
from typing import Protocol

import msgspec


class Upkeep(Enum):
    """What whoever opens a database may do to its tables. Where that is too little, opening raises `EngineFormatError`."""

    UPGRADE = "upgrade"
    """make them, and bring those of an older version up to date: for daemons"""
    FOUND = "found"
    """make them in a database that has none, and leave all others alone: for those that enqueue and look"""
    LEAVE = "leave"
    """nothing at all"""


class Layout(msgspec.Struct, frozen=True, kw_only=True):
    """Which layout a database has (0: none yet), which one this version needs, and the migrations between them."""

    found: int
    needed: int
    outstanding: tuple[str, ...] = ()


class Horizon(msgspec.Struct, frozen=True, kw_only=True):
    """What holds back vacuum most: no row that was settled since can be removed before it ends.

    `kind` is `session`, `standby`, `prepared` or `slot`, `name` what the database calls it. `age_ms` is how long it has been
    open, where that is known; `behind` the number of transactions begun since.
    """

    kind: str
    name: str
    pid: int | None
    state: str | None
    age_ms: int | None
    behind: int


class Tables(Protocol):
    """The tables of one database. Every method may raise `EngineUnavailableError` and `EngineFormatError`."""

    async def status(self) -> Layout:
        """Look at the database; changes nothing."""
        ...

    async def upgrade(self) -> Layout:
        """Apply what is outstanding, all or nothing, one process at a time; returns the layout that was found before."""
        ...

    async def horizon(self) -> Horizon | None:
        """Return what holds back vacuum most at this moment, as far as this user may see; None when nothing does."""
        ...
