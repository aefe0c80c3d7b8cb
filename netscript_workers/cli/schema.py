"""`workers schema`: the JSON Schema of the config, for editors."""

import typer

from netscript_workers.cli import options


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "schema",
        rich_help_panel=options.DEVELOPING,
        epilog=options.examples(
            "workers schema > workers.schema.json",
            "workers init shop && workers schema > shop/workers.schema.json",
        ),
    )(schema)


def schema() -> None:
    """Print the JSON Schema of the config (draft 2020-12).

    Editors complete and check a config.toml that begins with the line “#:schema ./workers.schema.json”.
    """
    from netscript_workers import config
    from netscript_workers.cli import render

    render.data_json(config.json_schema())
