"""`workers conformance`: the delivery part of the contract, tried on the user's own server."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from netscript_workers.cli import options, render
from netscript_workers.errors import EngineError, UsageError

if TYPE_CHECKING:
    from netscript_workers.cli.conformance_stage import Stage, Verdict
    from netscript_workers.config import LoadOptions, Settings
    from netscript_workers.ports.engine import Engine

_CHECK_BOUND_S: Final = 60.0
_CLEAR_BOUND_S: Final = 60.0
# Which variable says where, by the scheme of the URL, and which provider that is.
_SERVERS: Final = {
    "redis": ("redis", "REDIS_URL"),
    "rediss": ("redis", "REDIS_URL"),
    "postgres": ("postgres", "DATABASE_URL"),
    "postgresql": ("postgres", "DATABASE_URL"),
    "amqp": ("amqp", "AMQP_URL"),
    "amqps": ("amqp", "AMQP_URL"),
}

_Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="URL",
        show_default=False,
        help="Server to try: redis://…, postgresql://…, amqp://…, or a provider's name; else the one of the config. "
        "[env: WORKERS_QUEUE_PROVIDER]",
    ),
]
_Lease = Annotated[
    str, typer.Option("--lease", metavar="DURATION", help="Lease of the worker that gets lost.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "conformance",
        rich_help_panel=options.CHECKING,
        epilog=options.examples(
            "workers conformance",
            "workers conformance --provider redis://cache.internal:6379/0",
            "workers conformance --provider postgresql://app@db/jobs --json",
        ),
    )(conformance)


def conformance(
    provider: _Provider = None,
    lease: _Lease = "2s",
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Try order, priority, duplicates, ticks, delays and lost workers on your own server; exit 1 when a promise is broken.

    Works under a throw-away queue name beside yours, takes about fifteen seconds and deletes what it made.
    """
    import asyncio
    import secrets

    from netscript_workers.cli.session import settings_of

    lease_ms = options.duration_ms(lease)
    if not 500 <= lease_ms <= 20_000:  # noqa: PLR2004 - below, a slow server is lost; above, a check outlasts its bound
        raise UsageError("--lease must be from 500ms to 20s")
    queue_name = f"conformance-{secrets.token_hex(4)}"
    settings = settings_of(_options(provider, queue_name, options.load_options(config)))
    verdicts = asyncio.run(_try_all(settings, lease_ms))
    kept = all(verdict.kept for verdict in verdicts)
    if json:
        render.data_json(
            {
                "provider": _provider_of(settings),
                "queueName": queue_name,
                "kept": kept,
                "checks": [verdict.shape() for verdict in verdicts],
            }
        )
    else:
        rows = [(each.name, "ok" if each.kept else "problem", each.found) for each in verdicts]
        render.table(["CHECK", "STATE", "FOUND"], rows)
    if not kept:
        broken = ", ".join(f"{each.name} ({each.promise})" for each in verdicts if not each.kept)
        render.note(f"not kept on this server: {broken}")
        raise typer.Exit(1)


def _options(provider: str | None, queue_name: str, plain: "LoadOptions") -> "LoadOptions":
    """Lay the server and the throw-away name over what the config and the environment say."""
    import msgspec

    environ = {**plain.environ, "WORKERS_QUEUE": queue_name}
    if provider is None:
        return msgspec.structs.replace(plain, environ=environ)
    scheme, split, _ = provider.partition("://")
    if not split:
        return msgspec.structs.replace(plain, environ=environ, provider=provider)
    if scheme.lower() not in _SERVERS:
        raise UsageError(
            f"--provider: “{scheme}://” is none of {', '.join(f'{each}://' for each in _SERVERS)}"
        )
    name, variable = _SERVERS[scheme.lower()]
    environ = {key: value for key, value in environ.items() if key != f"{variable}_FILE"}
    return msgspec.structs.replace(plain, environ={**environ, variable: provider}, provider=name)


def _provider_of(settings: "Settings") -> str:
    from netscript_workers import config

    return config.resolve_provider(settings).provider.value


async def _try_all(settings: "Settings", lease_ms: int) -> "list[Verdict]":
    from netscript_workers import config, wiring
    from netscript_workers.cli.conformance_stage import Stage

    never = wiring.ArchiveUse.NEVER
    async with wiring.open_engine(settings, never) as first:
        stage = Stage(first, lease_ms)
        try:
            # In memory two engines would be two queues.
            if config.resolve_provider(settings).provider is config.Provider.MEMORY:
                return [await _tried(check, stage) for check in _checks()]
            async with wiring.open_engine(settings, never) as second:
                stage.two.engine = second
                return [await _tried(check, stage) for check in _checks()]
        finally:  # the second one is closed by now: it would make anew what is deleted
            await _clear(stage, first, settings.queue_name)


def _checks() -> "list[Callable[[Stage], Awaitable[Verdict]]]":
    from netscript_workers.cli import conformance_order as orders
    from netscript_workers.cli import conformance_time as times

    return [
        orders.order,
        orders.priority,
        orders.duplicates,
        orders.completed,
        orders.idempotency,
        orders.limit,
        orders.pause,
        orders.ticks,
        times.latency,
        times.delay,
        times.retry,
        times.cancel,
        times.renewal,
        times.lost_worker,
    ]


async def _tried(check: "Callable[[Stage], Awaitable[Verdict]]", stage: "Stage") -> "Verdict":
    """Run one check within its bound. A fault of the server in the middle of it is its finding."""
    import asyncio
    import time

    from netscript_workers.cli.conformance_stage import Verdict

    name = check.__name__.replace("_", " ")
    render.note(f"trying: {name}")
    began = time.perf_counter()
    try:
        async with asyncio.timeout(_CHECK_BOUND_S):
            return await check(stage)
    except TimeoutError:
        found = f"not over within {_CHECK_BOUND_S:.0f} s"
    except EngineError as error:
        found = f"failed after {time.perf_counter() - began:.1f} s: {error}"
    return Verdict(name, "the server answers", kept=False, found=found)


async def _clear(stage: "Stage", engine: "Engine", queue_name: str) -> None:
    """Leave the server as it was found, or say what is left on it."""
    import asyncio

    from netscript_workers.ports.erasable import Erasable

    left: Any
    try:
        async with asyncio.timeout(_CLEAR_BOUND_S):
            left = await stage.clear()
            if isinstance(engine, Erasable):
                await engine.erase()
                left = 0
    except (TimeoutError, EngineError) as error:
        left = str(error) or f"not over within {_CLEAR_BOUND_S:.0f} s"
    if left:
        render.note(f"could not remove all of the queue “{queue_name}”: {left}. Delete it by hand.")
