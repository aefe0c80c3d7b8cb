"""Where finished executions rest once they are past their live age (SPEC section 11), and why."""

from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from netscript_workers.config.choices import Provider
from netscript_workers.config.provider import resolve_provider

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings


class ArchivePlace(StrEnum):
    """A store for finished executions."""

    OWN = "own"
    """tables of the engine that holds the live ones"""
    POSTGRES = "postgres"
    """the database at `database_url`"""
    SQLITE = "sqlite"
    """the file at `deno_kv_path`, which serves this host only"""


class ResolvedArchive(NamedTuple):
    """The archive to use, and where and why in words (no password in it)."""

    place: ArchivePlace
    why: str


def resolve_archive(settings: "Settings") -> ResolvedArchive:
    """Apply the rule: PostgreSQL when `database_url` is set, else SQLite; an engine that is there already keeps its own."""
    provider = resolve_provider(settings).provider
    connections = settings.connections
    if provider is Provider.MEMORY:
        return ResolvedArchive(ArchivePlace.OWN, "in this process's memory, like the queue")
    if provider is Provider.POSTGRES:
        return ResolvedArchive(ArchivePlace.OWN, "in the queue's own database")
    if provider is Provider.AMQP and connections.redis_url is None:
        where = "PostgreSQL" if connections.database_url is not None else str(connections.deno_kv_path)
        return ResolvedArchive(ArchivePlace.OWN, f"beside the live records, in {where}")
    if connections.database_url is not None:
        return ResolvedArchive(ArchivePlace.POSTGRES, "in PostgreSQL: database_url is set")
    if provider is Provider.DENO_KV:
        return ResolvedArchive(ArchivePlace.OWN, f"in the queue's own file {connections.deno_kv_path}")
    why = f"in the file {connections.deno_kv_path} of this host: database_url is not set"
    return ResolvedArchive(ArchivePlace.SQLITE, why)
