"""`workers db status|upgrade`: the tables in PostgreSQL."""

import typer

from netscript_workers.cli import options, render, session


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    db = typer.Typer(
        help="Look at the tables in PostgreSQL (database_url), or bring them up to date.",
        epilog=options.examples("workers db status", "workers db upgrade"),
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    db.command("status", epilog=options.examples("workers db status", "workers db status --json"))(status)
    db.command("upgrade", epilog=options.examples("workers db upgrade"))(upgrade)
    app.add_typer(db, name="db", rich_help_panel=options.CHECKING)


def status(json: options.Json = False, config: options.Config = None) -> None:
    """Say which layout the tables have, and which migrations are outstanding. Exits with 1 when some are."""
    import asyncio

    from netscript_workers import wiring

    tables = wiring.tables_of(session.settings_of(options.load_options(config)))
    layout = asyncio.run(tables.status())
    if json:
        render.data_json(
            {"found": layout.found, "needed": layout.needed, "outstanding": list(layout.outstanding)}
        )
    else:
        render.table(
            ["LAYOUT", "NEEDED", "OUTSTANDING"],
            [[str(layout.found), str(layout.needed), ", ".join(layout.outstanding) or "nothing"]],
            numbers=["LAYOUT", "NEEDED"],
        )
    if layout.outstanding:
        raise typer.Exit(1)


def upgrade(config: options.Config = None) -> None:
    """Apply the outstanding migrations, all or nothing. Workers do the same when they start, unless told not to."""
    import asyncio

    from netscript_workers import wiring

    tables = wiring.tables_of(session.settings_of(options.load_options(config)))
    layout = asyncio.run(tables.upgrade())
    done = ", ".join(layout.outstanding)
    render.note(f"Applied: {done}." if done else f"Nothing to do: the tables have layout {layout.found}.")
