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


class Tables(Protocol):
    """The tables of one database. Both methods may raise `EngineUnavailableError` and `EngineFormatError`."""

    async def status(self) -> Layout:
        """Look at the database; changes nothing."""
        ...

    async def upgrade(self) -> Layout:
        """Apply what is outstanding, all or nothing, one process at a time; returns the layout that was found before."""
        ...
