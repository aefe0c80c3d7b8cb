"""`workers validate`: every problem of a config at once, for people, for CI and for tools."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from netscript_workers.cli import options

if TYPE_CHECKING:
    from netscript_workers.cli.verdict import Verdict


class Format(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


def _memory(text: str) -> int:
    from netscript_workers.domain.size import SizeError, parse_size

    try:
        return parse_size(int(text) if text.isdecimal() else text)
    except SizeError as error:
        raise typer.BadParameter(f"“{text}” {error}") from error


_File = Annotated[
    Path | None,
    typer.Argument(metavar="CONFIG", show_default=False, help="The config file; the same as --config."),
]
_Strict = Annotated[bool, typer.Option("--strict", help="Make warnings fail too.")]
_Explain = Annotated[
    bool,
    typer.Option("--explain", help="Show every effective value with its origin, the provider and the plan."),
]
_Connect = Annotated[bool, typer.Option("--connect", help="Also reach the store of the queue.")]
_Format = Annotated[
    Format, typer.Option("--format", help="How to print: text, json or github (annotations).")
]
_MaxMemory = Annotated[
    int | None,
    typer.Option(
        "--max-memory",
        metavar="SIZE",
        parser=_memory,
        show_default=False,
        help="Make a plan that needs more an error, such as 2G.",
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command(
        "validate",
        rich_help_panel=options.CHECKING,
        epilog=options.examples(
            "workers validate config.toml",
            "workers validate --strict --format github",
            "workers validate --explain --max-memory 2G",
        ),
    )(validate)


def validate(
    file: _File = None,
    config: options.Config = None,
    strict: _Strict = False,
    explain: _Explain = False,
    connect: _Connect = False,
    output: _Format = Format.TEXT,
    max_memory: _MaxMemory = None,
    concurrency: options.Concurrency = None,
    runtime: options.Runtime = None,
    provider: options.Provider = None,
    topic: options.Topics = None,
    log_level: options.LogLevel = None,
    log_format: options.LogFormat = None,
) -> None:
    """Check a config: report every problem at once, each with its place and how to mend it.

    Ends with 0 when it is valid, 1 when it is not. The other options show what they would do.
    """
    from netscript_workers.cli.verdict import Wanted, judge

    if file is not None and config is not None:
        raise typer.BadParameter("give the config file once: as CONFIG or with --config")
    loaded = options.load_options(
        file or config,
        concurrency=concurrency,
        runtime=runtime,
        provider=provider,
        topics=topic,
        log_level=log_level,
        log_format=log_format,
    )
    verdict = judge(loaded, Wanted(connect=connect, max_memory=max_memory))
    valid = not verdict.errors and not (strict and verdict.warnings)
    _print(verdict, output, valid=valid, explain=explain)
    raise typer.Exit(0 if valid else 1)


def _print(verdict: "Verdict", output: Format, *, valid: bool, explain: bool) -> None:
    from netscript_workers.cli import findings, render

    if output is Format.JSON:
        render.data_json(verdict.to_json(valid=valid, explain=explain))
        return
    if output is Format.GITHUB:
        findings.print_annotations(verdict)
        return
    findings.print_findings(verdict, valid=valid)
    if explain:
        from netscript_workers.cli.explain import print_explanation

        print_explanation(verdict)
