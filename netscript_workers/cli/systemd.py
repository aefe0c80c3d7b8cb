"""`workers systemd`: a unit computed from the config."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from netscript_workers.cli import options


class Role(StrEnum):
    """The command that the unit runs."""

    RUN = "run"
    COMBINED = "combined"
    WORKER = "worker"


def _size(text: str) -> int:
    from netscript_workers.domain.size import SizeError, parse_size

    try:
        return parse_size(int(text) if text.isdecimal() else text)
    except SizeError as error:
        raise typer.BadParameter(f"“{text}” {error}") from error


_User = Annotated[
    bool, typer.Option("--user", help="A unit of your own service manager (systemctl --user), without root.")
]
_Account = Annotated[
    str, typer.Option("--run-as", metavar="NAME", help="The account that the service runs under.")
]
_Role = Annotated[
    Role | None,
    typer.Option(
        "--role",
        show_default=False,
        help="The command to run; else run where the config has a distributed group, combined where not.",
    ),
]
_MemoryMax = Annotated[
    int | None,
    typer.Option(
        "--memory-max",
        metavar="SIZE",
        parser=_size,
        show_default=False,
        help="MemoryMax, such as 2G; else from the plan.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "systemd",
        rich_help_panel=options.RUNNING,
        epilog=options.examples(
            "workers systemd --config /etc/netscript-workers/config.toml > /etc/systemd/system/netscript-workers.service",
            "workers systemd --user > ~/.config/systemd/user/netscript-workers.service",
        ),
    )(systemd)


def systemd(
    user: _User = False,
    run_as: _Account = "workers",
    role: _Role = None,
    memory_max: _MemoryMax = None,
    config: options.Config = None,
) -> None:
    """Print a hardened systemd unit computed from the config, each line with its reason."""
    from netscript_workers import wiring
    from netscript_workers.cli import render
    from netscript_workers.config.tree import plan_tree
    from netscript_workers.config.unit import UnitOptions, write_unit

    project = wiring.load_project(options.load_options(config))
    several = len(plan_tree(project.settings)) > 1
    wanted = UnitOptions(
        role=(role or (Role.RUN if several else Role.COMBINED)).value,
        command=str(_command()),
        interpreter=str(Path(sys.executable).resolve()),
        account=run_as,
        user=user,
        memory_max=memory_max,
    )
    render.data(write_unit(project.loaded, project.settings, project.targets, wanted).rstrip("\n"))


def _command() -> Path:
    """Return the `workers` of this very installation."""
    beside = Path(sys.executable).parent / "workers"
    return beside if beside.exists() else Path(sys.argv[0]).absolute()
