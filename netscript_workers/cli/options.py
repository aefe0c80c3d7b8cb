"""The options that several commands share, and how they become `LoadOptions`.

No option reads its environment variable here: the config layer does, so that it can tell where each value came from and
name the variable when a value is wrong. The help text names it.
"""

import os
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from netscript_workers.domain.execution import Status
from netscript_workers.domain.target import RunnerMode

if TYPE_CHECKING:
    from netscript_workers.config import LoadOptions

RUNNING: Final = "Running the daemon"
QUEUE: Final = "Working with a queue"
DEVELOPING: Final = "Developing"
CHECKING: Final = "Checking and measuring"


def examples(*lines: str) -> str:
    """Lay `lines` out as the examples at the end of a help text; they are printed as they stand."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def duration_ms(text: str) -> int:
    """Read an option's duration (`30s`, `5m`, milliseconds as a number) as ms; wrong usage when it is none."""
    from netscript_workers.domain.duration import parse_duration

    try:
        return parse_duration(int(text) if text.isdecimal() else text)
    except ValueError as error:
        raise typer.BadParameter(f"“{text}” {error}") from error


def _provider(text: str) -> str:
    from netscript_workers.config.choices import Provider as Providers

    return _one_of(Providers, text)


def _log_level(text: str) -> str:
    from netscript_workers.config.choices import LogLevel as Levels

    return _one_of(Levels, text)


def _log_format(text: str) -> str:
    from netscript_workers.config.choices import LogFormat as Formats

    return _one_of(Formats, text)


def _one_of(choices: type[StrEnum], text: str) -> str:
    values = [choice.value for choice in choices]
    if text not in values:
        raise typer.BadParameter(f"“{text}” is none of {', '.join(values)}.")
    return text


def load_options(  # one parameter for each option that a config value can come from
    config: Path | None,
    *,
    concurrency: int | None = None,
    runtime: RunnerMode | None = None,
    provider: str | None = None,
    topics: Sequence[str] | None = None,
    without_topics: Sequence[str] | None = None,
    log_level: str | None = None,
    log_format: str | None = None,
) -> "LoadOptions":
    """Gather what the command line says of the config, with this process's environment and directory."""
    from netscript_workers.config import LoadOptions

    return LoadOptions(
        path=config,
        concurrency=concurrency,
        runtime=None if runtime is None else runtime.value,
        provider=provider,
        topics=tuple(topics or ()),
        without_topics=tuple(without_topics or ()),
        log_level=log_level,
        log_format=log_format,
        environ=dict(os.environ),
        cwd=Path.cwd(),
    )


def complete_target(incomplete: str) -> list[str]:
    """Offer the ids of the project."""
    from netscript_workers.cli import completion

    return completion.targets(incomplete)


def _complete_topic(incomplete: str) -> list[str]:
    from netscript_workers.cli import completion

    return completion.topics(incomplete)


Config = Annotated[
    Path | None,
    typer.Option(
        "--config",
        "-c",
        metavar="PATH",
        show_default=False,
        help="Config file, TOML or Python; else ./config.toml, ./workers.toml, then /etc. [env: WORKERS_CONFIG]",
    ),
]
Concurrency = Annotated[
    int | None,
    typer.Option(
        "--concurrency",
        min=1,
        show_default=False,
        help="Size of this process's pool, shared by its lanes. [env: WORKERS_CONCURRENCY]",
    ),
]
Runtime = Annotated[
    RunnerMode | None,
    typer.Option(
        "--runtime",
        show_default=False,
        help="Runner mode of jobs that no group or job settles. [env: WORKER_RUNTIMES]",
    ),
]
Provider = Annotated[
    str | None,
    typer.Option(
        "--provider",
        metavar="NAME",
        parser=_provider,
        show_default=False,
        help="Queue provider: auto, deno-kv, redis, postgres, amqp. [env: WORKERS_QUEUE_PROVIDER]",
    ),
]
Topics = Annotated[
    list[str] | None,
    typer.Option(
        "--topic",
        metavar="TOPIC",
        show_default=False,
        autocompletion=_complete_topic,
        help="Serve only this topic; give it again for more.",
    ),
]
WithoutTopics = Annotated[
    list[str] | None,
    typer.Option(
        "--without-topic",
        metavar="TOPIC",
        show_default=False,
        autocompletion=_complete_topic,
        help="Serve every topic but this; give it again for more.",
    ),
]
LogLevel = Annotated[
    str | None,
    typer.Option(
        "--log-level",
        metavar="LEVEL",
        parser=_log_level,
        show_default=False,
        help="debug, info, warning or error. [env: WORKERS_LOG_LEVEL]",
    ),
]
LogFormat = Annotated[
    str | None,
    typer.Option(
        "--log-format",
        metavar="FORMAT",
        parser=_log_format,
        show_default=False,
        help="auto (text on a terminal, else JSON lines), text or json. [env: WORKERS_LOG_FORMAT]",
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, in the documented shape.")]
Limit = Annotated[int, typer.Option("--limit", "-n", min=1, help="How many at most.")]
TargetArgument = Annotated[
    str, typer.Argument(metavar="ID", autocompletion=complete_target, help="Id of a job or task.")
]
TargetFilter = Annotated[
    str | None,
    typer.Option(
        "--target",
        "--job",
        metavar="ID",
        show_default=False,
        autocompletion=complete_target,
        help="Only executions of this job or task.",
    ),
]
TopicFilter = Annotated[
    str | None,
    typer.Option(
        "--topic",
        metavar="TOPIC",
        show_default=False,
        autocompletion=_complete_topic,
        help="Only this topic.",
    ),
]
StatusFilter = Annotated[
    Status | None, typer.Option("--status", show_default=False, help="Only executions with this status.")
]
TopicArgument = Annotated[
    str, typer.Argument(metavar="TOPIC", autocompletion=_complete_topic, help="Name of a topic.")
]
ExecutionArgument = Annotated[str, typer.Argument(metavar="EXECUTION", help="Id of an execution.")]
ExecutionArguments = Annotated[
    list[str], typer.Argument(metavar="EXECUTION", help="Ids of one or more executions.")
]
Payload = Annotated[
    str,
    typer.Option(
        "--payload",
        "-p",
        metavar="JSON|@FILE|-",
        help="A JSON object; @FILE reads it from a file, - from standard input.",
    ),
]
