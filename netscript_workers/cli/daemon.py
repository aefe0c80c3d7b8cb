"""`workers run`, `workers combined`, `workers worker` and `workers scheduler`: the daemon."""

import os
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final

import typer

from netscript_workers.cli import options

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions
    from netscript_workers.supervisor.notices import Notices

_Drain = Annotated[
    bool,
    typer.Option("--drain", help="Exit 0 once the queue is empty; schedules enqueue nothing meanwhile."),
]

_NoMigrate = Annotated[
    bool,
    typer.Option(
        "--no-migrate",
        help="Leave the tables in PostgreSQL as they are; end with an error where `workers db upgrade` has to come first.",
    ),
]


_Watch = Annotated[
    bool,
    typer.Option(
        "--watch",
        help="Reload by itself when a job or task module or the config file changes: for development.",
    ),
]

_SIGNALS: Final = (
    "SIGTERM and SIGINT drain and end it; a second one interrupts what still runs and gives it back to the queue. "
    "SIGHUP reloads the configuration and the job modules."
)


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(
        "run",
        help="Run everything the config asks for: one process for the combined groups and the schedules, one for each "
        f"distributed group, kept running by a supervisor.\n\n{_SIGNALS} Signals are passed on to every process.",
        rich_help_panel=options.RUNNING,
        epilog=options.examples("workers run", "workers run --config /etc/netscript-workers/config.toml"),
    )(_command("run"))
    app.command(
        "combined",
        help=f"Run everything in one process: for one server, or for development.\n\n{_SIGNALS}",
        rich_help_panel=options.RUNNING,
        epilog=options.examples(
            "workers combined",
            "workers combined --config /etc/netscript-workers/config.toml --concurrency 8",
            "workers combined --drain",
            "workers combined --watch",
        ),
    )(_command("combined"))
    app.command(
        "worker",
        help=f"Run a worker alone: it claims and runs, and schedules nothing.\n\n{_SIGNALS}",
        rich_help_panel=options.RUNNING,
        epilog=options.examples(
            "workers worker", "workers worker --topic mail --topic reports --runtime subprocess"
        ),
    )(_command("worker"))
    app.command(
        "scheduler",
        help="Run a scheduler alone: it enqueues what has a schedule, and runs nothing.\n\nAny number may run, beside any number "
        "of `workers combined`: each tick is enqueued once. SIGTERM and SIGINT end it.",
        rich_help_panel=options.RUNNING,
        epilog=options.examples(
            "workers scheduler", "workers scheduler --config /etc/netscript-workers/config.toml"
        ),
    )(_scheduler)


def _command(role: str) -> Callable[..., None]:
    """Return the command that runs a daemon in `role`; all of them take the same options."""

    def run(
        config: options.Config = None,
        concurrency: options.Concurrency = None,
        runtime: options.Runtime = None,
        provider: options.Provider = None,
        topic: options.Topics = None,
        without_topic: options.WithoutTopics = None,
        drain: _Drain = False,
        watch: _Watch = False,
        no_migrate: _NoMigrate = False,
        log_level: options.LogLevel = None,
        log_format: options.LogFormat = None,
    ) -> None:
        from netscript_workers.supervisor.notices import Notices

        notices = Notices.from_environment(
            os.environ
        )  # first of all: nothing may inherit it, or outlive the supervisor
        loaded = options.load_options(
            config,
            concurrency=concurrency,
            runtime=runtime,
            provider=provider,
            topics=topic,
            without_topics=without_topic,
            log_level=log_level,
            log_format=log_format,
        )
        raise typer.Exit(_run(loaded, role, notices, drain=drain, migrate=not no_migrate, watch=watch))

    return run


def _scheduler(
    config: options.Config = None,
    provider: options.Provider = None,
    no_migrate: _NoMigrate = False,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
) -> None:
    from netscript_workers.supervisor.notices import Notices

    notices = Notices.from_environment(os.environ)  # first of all, as above
    loaded = options.load_options(config, provider=provider, log_level=log_level, log_format=log_format)
    raise typer.Exit(_run(loaded, "scheduler", notices, drain=False, migrate=not no_migrate, watch=False))


def _run(
    loaded: "LoadOptions", role: str, notices: "Notices", *, drain: bool, migrate: bool, watch: bool
) -> int:
    from netscript_workers import wiring

    if role == "run":
        daemon = wiring.build_run(loaded, notices=notices, drain=drain, migrate=migrate)
    else:
        project = wiring.load_project(loaded)
        daemon = wiring.build_daemon(
            project, role=role, drain=drain, migrate=migrate, watch=watch, notices=notices
        )
    if sys.platform == "win32":
        import asyncio

        return asyncio.run(daemon.run())
    import uvloop

    return uvloop.run(daemon.run())
