"""`workers doctor`: what this machine and this project have, and what is missing."""

from typing import Any

import typer

from netscript_workers.cli import options, render


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "doctor",
        rich_help_panel=options.CHECKING,
        epilog=options.examples(
            "workers doctor", "workers doctor --config /etc/netscript-workers/config.toml --json"
        ),
    )(doctor)


def doctor(json: options.Json = False, config: options.Config = None) -> None:
    """Look at Python, the platform, the config, the queue's file and the tools; exit 1 when something is broken."""
    from netscript_workers.cli import doctor_machine, doctor_project
    from netscript_workers.cli.doctor_finding import Finding, State

    findings: list[Finding] = [
        *doctor_machine.findings(),
        *doctor_project.findings(options.load_options(config)),
    ]
    broken = [each for each in findings if each.state is State.PROBLEM]
    if json:
        render.data_json([_shape(each) for each in findings])
    else:
        render.table(["CHECK", "STATE", "FOUND"], [_row(each) for each in findings])
        for each in findings:
            if each.advice:
                render.data(f"{each.name}: {each.advice}")
    raise typer.Exit(1 if broken else 0)


def _shape(finding: Any) -> dict[str, Any]:
    return {
        "check": finding.name,
        "state": finding.state.value,
        "found": finding.found,
        "advice": finding.advice or None,
    }


def _row(finding: Any) -> list[str]:
    return [finding.name, finding.state.value, finding.found]
