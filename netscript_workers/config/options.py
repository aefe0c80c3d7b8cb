"""What loading the config takes and gives."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from netscript_workers.domain.problem import Problem, Severity

if TYPE_CHECKING:
    from netscript_workers.config.place import KeyPath, Place
    from netscript_workers.config.settings import Settings
    from netscript_workers.domain.target import Declaration


class LoadOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says, with the environment and directory of the process. None is unset.

    `path` is `--config`; `topics` are the topics to serve (empty: all), but never `without_topics`. Only `environ`
    is read, never `os.environ`.
    """

    path: Path | None = None
    concurrency: int | None = None
    runtime: str | None = None
    provider: str | None = None
    topics: tuple[str, ...] = ()
    without_topics: tuple[str, ...] = ()
    log_level: str | None = None
    log_format: str | None = None
    environ: Mapping[str, str] = {}
    cwd: Path = msgspec.field(default_factory=Path.cwd)


class OriginKind(StrEnum):
    """Which layer a value comes from."""

    DEFAULT = "default"
    FILE = "file"
    ENVIRONMENT = "environment"
    COMMAND_LINE = "command-line"
    RUNTIME = "runtime"


class Origin(msgspec.Struct, frozen=True):
    """One effective value (a secret is masked), the layer that won, and where in it: `file:line`, variable, option."""

    value: Any
    source: OriginKind
    detail: str = ""


class Loaded:
    """The outcome of loading: settings when there is no error, and everything that is wrong.

    `origins` has every effective value by dotted key path. `partial` is the tree that is left when every wrong key is
    taken out: good for further checks, never for running. `worker_id` is `WORKER_ID`, None when it is to be made up.
    `nameless` are the jobs and tasks that it lacks because they have no usable id.
    """

    def __init__(
        self,
        *,
        options: LoadOptions,
        file: Path | None,
        problems: list[Problem],
        partial: "Settings",
        origins: Mapping[str, Origin],
        places: "Mapping[KeyPath, Place]",
        worker_id: str | None,
        nameless: "Sequence[tuple[Place, Declaration]]" = (),
    ) -> None:
        """Take in what loading found."""
        self.options = options
        self.file = file
        self.problems = problems
        self.partial = partial
        self.origins = origins
        self.places = places
        self.worker_id = worker_id
        self.nameless = nameless

    @property
    def settings(self) -> "Settings | None":
        """The settings, or None when there is an error."""
        return None if any(problem.severity is Severity.ERROR for problem in self.problems) else self.partial

    @property
    def topics(self) -> tuple[str, ...]:
        """The topics to serve (`--topic`); empty means all."""
        return self.options.topics
