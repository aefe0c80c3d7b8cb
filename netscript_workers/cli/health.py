"""`workers health`: whether a worker here is consuming, for probes that run a command."""

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.errors import UsageError

if TYPE_CHECKING:
    from netscript_workers.config import Settings

_TIMEOUT: Final = "3s"
_ROLES: Final = ("worker", "combined", "scheduler")

_Live = Annotated[
    bool, typer.Option("--live", help="Ask only whether its loops run, as /livez does; a paused one is live.")
]
_Role = Annotated[
    str | None,
    typer.Option(
        "--role",
        metavar="ROLE",
        show_default=False,
        help="Ask only for one of this role: worker, combined or scheduler.",
    ),
]
_Timeout = Annotated[
    str, typer.Option("--timeout", metavar="TIME", help="How long a worker may take to answer.")
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "health",
        rich_help_panel=options.QUEUE,
        epilog=options.examples(
            "workers health",
            "workers health --live --timeout 5s",
            "workers health --role scheduler",
            "workers health --json",
        ),
    )(health)


def health(
    live: _Live = False,
    role: _Role = None,
    timeout: _Timeout = _TIMEOUT,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Exit 0 when a worker of this queue runs on this host and consumes, else 1.

    The workers are asked directly, not the queue: it works while the queue's server is away, and a worker whose loop hangs
    does not answer.
    """
    if role is not None and role not in _ROLES:
        raise UsageError(f"there is no role “{role}”; there are: {', '.join(_ROLES)}")
    settings = session.settings_of(options.load_options(config))
    found = _ask_all(settings, options.duration_ms(timeout) / 1000)
    wanted = "live" if live else "ready"
    # A scheduler counts only where there is nothing else: it must not hide a worker that hangs beside it.
    counted = (
        [one for one in found if one["role"] == role]
        if role is not None
        else [one for one in found if one["role"] != "scheduler"] or found
    )
    healthy = any(one[wanted] for one in counted)
    if json:
        render.data_json({"healthy": healthy, "workers": found})
    elif not found:
        render.data("No worker of this queue runs on this host.")
    else:
        for one in found:
            works = "schedule" if one["role"] == "scheduler" else "consume"
            state = f"{works}s" if one["ready"] else f"does not {works}: {one['reason']}"
            render.data(f"process {one['pid']} ({one['role'] or 'unknown'}) {state}")
    raise typer.Exit(0 if healthy else 1)


def _ask_all(settings: "Settings", timeout_s: float) -> list[dict[str, Any]]:
    from netscript_workers.telemetry import local
    from netscript_workers.wiring.observing import family_of

    if not local.available():
        raise UsageError(
            "`workers health` needs Linux. Elsewhere set metrics.listen and ask http://HOST:PORT/readyz."
        )
    family = family_of(settings)
    return [_ask(family, pid, timeout_s) for pid in local.pids(family)]


def _ask(family: str, pid: int, timeout_s: float) -> dict[str, Any]:
    import json

    from netscript_workers.telemetry import local

    silent = {"live": False, "ready": False, "role": None, "pid": pid, "degraded": None}
    try:
        _, text = local.ask(family, pid, "/healthz", timeout_s)
        return json.loads(text)
    except TimeoutError:
        return {**silent, "reason": f"its loop did not answer within {timeout_s:g} s: it hangs"}
    except (OSError, ValueError) as error:
        return {**silent, "reason": f"it did not answer: {error}"}
