"""Which engine the settings lead to, and why."""

from typing import TYPE_CHECKING, NamedTuple

from netscript_workers.config.choices import Provider

if TYPE_CHECKING:
    from netscript_workers.config.settings import Settings


class ResolvedProvider(NamedTuple):
    """The engine to use (never `auto`) and the reason in words."""

    provider: Provider
    why: str


def resolve_provider(settings: "Settings") -> ResolvedProvider:
    """Apply the rule of SPEC section 9: `auto` takes amqp, else redis, else deno-kv; never postgres."""
    chosen = settings.queue_provider
    if chosen is not Provider.AUTO:
        return ResolvedProvider(chosen, f"queue_provider says {chosen.value}")
    connections = settings.connections
    if connections.amqp_url is not None:
        return ResolvedProvider(Provider.AMQP, "auto: an AMQP URL is configured")
    if connections.redis_url is not None:
        return ResolvedProvider(Provider.REDIS, "auto: a Redis URL is configured, and no AMQP URL")
    why = "auto: neither an AMQP nor a Redis URL is configured"
    if connections.database_url is not None:
        why += " (PostgreSQL is never chosen by itself: set queue_provider)"
    return ResolvedProvider(Provider.DENO_KV, why)


def resolve_records(settings: "Settings") -> ResolvedProvider:
    """Say which store keeps the records of the provider amqp (SPEC section 11): redis, else postgres, else deno-kv."""
    connections = settings.connections
    if connections.redis_url is not None:
        return ResolvedProvider(Provider.REDIS, "records of amqp: a Redis URL is configured")
    if connections.database_url is not None:
        return ResolvedProvider(Provider.POSTGRES, "records of amqp: database_url is set, and no Redis URL")
    return ResolvedProvider(Provider.DENO_KV, "records of amqp: neither a Redis URL nor database_url is set")
