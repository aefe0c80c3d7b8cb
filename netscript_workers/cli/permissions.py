"""`workers permissions record`: one observed run of a task proposes the least permissions."""

from json import dumps
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from netscript_workers.cli import options, render
from netscript_workers.cli.execute import Spectator
from netscript_workers.cli.payload import read_payload
from netscript_workers.domain.outcome import Kind

if TYPE_CHECKING:
    from netscript_workers.domain.outcome import Outcome
    from netscript_workers.domain.permissions import Grant, Permissions
    from netscript_workers.wiring import Recording

_WIDE: Final = 100
_KEYS: Final = ("net", "read", "write", "env", "run", "ffi", "import")

_Task = Annotated[
    str, typer.Argument(metavar="TASK", autocompletion=options.complete_target, help="Id of a task.")
]
_Verify = Annotated[
    bool,
    typer.Option(
        "--verify/--no-verify", help="Run it a second time, held to the proposal, and tell how that ended."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the group of commands to `app`."""
    group = typer.Typer(
        help="Find out what a task must be permitted.",
        epilog=options.examples("workers permissions record import-orders"),
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    group.command(
        "record",
        epilog=options.examples(
            "workers permissions record import-orders",
            "workers permissions record import-orders --payload @order.json --no-verify",
        ),
    )(record)
    app.add_typer(group, name="permissions", rich_help_panel=options.DEVELOPING)


def record(
    task: _Task,
    payload: options.Payload = "{}",
    verify: _Verify = True,
    json: options.Json = False,
    config: options.Config = None,
) -> None:
    """Run a task once, watched and UNCONFINED, and print the least permissions that it needs, as TOML to paste.

    Its lines go to stderr. What it did is all that is proposed: let the payload make it do everything that it ever does. Then
    it is run again under the proposal. Exit 1 when either run failed.
    """
    import asyncio

    from netscript_workers import wiring
    from netscript_workers.wiring.project import told

    value = read_payload(payload)
    project = wiring.load_project(options.load_options(config))
    for problem in project.problems:
        render.note(told(problem))
    found = asyncio.run(wiring.record(project, task, value, Spectator(), verify=verify))
    if json:
        render.data_json(_shape(found))
    else:
        render.data(toml_of(found))
        for note in _verdict(found):
            render.note(note)
    raise typer.Exit(0 if _is_good(found.outcome) and _is_good(found.verified) else 1)


def toml_of(found: "Recording") -> str:
    """Write a recording as the `permissions` of its task's table, with what a person should know as comments."""
    about = [f"the run failed, so this may not be all: {found.outcome.error or 'no reason given'}"] * (
        not _is_good(found.outcome)
    )
    if found.guessed:
        names = ", ".join(found.guessed)
        about.append(
            f"a guess: {names}; who reads its environment cannot be seen, so its text was searched for names"
        )
    lines = [f"# {' '.join(each.split())}" for each in (*about, *found.notes)]
    granted = as_keys(found.permissions)
    inside = ", ".join(f"{key} = {_written(value)}" for key, value in granted.items())
    return "\n".join([*lines, f"permissions = {{ {inside} }}" if inside else "permissions = {}"])


def as_keys(permissions: "Permissions") -> dict[str, Any]:
    """Return what is granted, under the keys of the config."""
    kinds: dict[str, Grant] = {
        key: getattr(permissions, "import_" if key == "import" else key) for key in _KEYS
    }
    return {key: value if isinstance(value, bool) else list(value) for key, value in kinds.items() if value}


def _written(value: "Grant | list[str]") -> str:
    if isinstance(value, bool):
        return str(value).lower()
    words = [dumps(each, ensure_ascii=False).replace("\x7f", "\\u007f") for each in value]
    line = f"[{', '.join(words)}]"
    return line if len(line) <= _WIDE else "[\n    " + ",\n    ".join(words) + ",\n]"


def _shape(found: "Recording") -> dict[str, Any]:
    return {
        "jobId": found.target.id,
        "permissions": as_keys(found.permissions),
        "guessed": list(found.guessed),
        "notes": list(found.notes),
        "toml": toml_of(found),
        "recorded": _ending(found.outcome),
        "verified": None if found.verified is None else _ending(found.verified),
    }


def _ending(outcome: "Outcome") -> dict[str, Any]:
    return {"succeeded": _is_good(outcome), "exitCode": outcome.exit_code, "error": outcome.error}


def _is_good(outcome: "Outcome | None") -> bool:
    return outcome is None or outcome.kind is Kind.SUCCEEDED


def _verdict(found: "Recording") -> list[str]:
    if not _is_good(found.outcome):
        return [f"The watched run failed: {found.outcome.error}. It was not run again under the proposal."]
    if found.verified is None:
        return ["Not verified: paste it into the task's table, then workers exec it."]
    if _is_good(found.verified):
        return ["Verified: a second run with these permissions, and nothing else, succeeded."]
    return [f"These permissions are not enough: {found.verified.error}"]
