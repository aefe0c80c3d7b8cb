"""`define_task("id")…build()`: a task defined in Python (SPEC section 8)."""

import sys
from collections.abc import Mapping
from typing import Any, Final, Self

import msgspec

from netscript_workers.authoring import options
from netscript_workers.authoring.permissions import as_permissions
from netscript_workers.authoring.task_types import task_type
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import (
    MAX_PRIORITY,
    Backoff,
    CatchUp,
    Concept,
    Declaration,
    Limits,
    Retention,
    Source,
    TaskType,
)
from netscript_workers.errors import DefinitionError


class TaskDefinition(dict[str, Any]):
    """A built task: a mapping with the keys of a task in the config file, so it can stand in `tasks` of `define_workers`.

    A module of `tasks_dir` that binds one to a name defines the task. `declaration` is the same for the
    catalog.
    """

    def __init__(self, declaration: Declaration) -> None:
        super().__init__(_keys(declaration))
        self.declaration: Final = declaration


class TaskBuilder:
    """Collects what a task is; every method checks what it is given and returns the builder. Made by `define_task`."""

    def __init__(self, id: str, file: str, line: int) -> None:
        self._id = id
        self._file = file
        self._line = line
        self._values: dict[str, Any] = {}

    def runtime(self, type: TaskType | str) -> Self:
        """Set the runtime: `deno` (the default), `python`, `dotnet`, `cmd`, `powershell`, `shell` or `executable`.

        Another package may have registered more.
        """
        return self._set("type", "runtime", type, task_type)

    def entrypoint(self, path: str) -> Self:
        """Set the program's file, relative to the tasks directory."""
        return self._set("entrypoint", "entrypoint", path, options.filled_text)

    def timeout(self, duration: int | str) -> Self:
        """Set how long a run may take: ms, or text such as `"30s"`."""
        return self._set("timeout", "timeout", duration, options.duration(1))

    def retry(
        self, max_retries: int, delay: int | str | None = None, backoff: Backoff | str | None = None
    ) -> Self:
        """Set how often a failed run is tried again, after what `delay` (ms or text), growing by `backoff`."""
        self._set("max_retries", "retry", max_retries, options.whole(0))
        self._set("retry_delay", "retry delay", delay, options.duration(0))
        return self._set("backoff", "retry backoff", backoff, options.one_of(Backoff))

    def permissions(self, permissions: Permissions | Mapping[str, Any] | str) -> Self:
        """Set what a run may reach: a mapping, a `Permissions`, or a preset's name."""
        return self._set("permissions", "permissions", permissions, as_permissions)

    def args(self, *args: str) -> Self:
        """Set the arguments behind the entrypoint."""
        given = args[0] if len(args) == 1 and not isinstance(args[0], str) else args
        return self._set("args", "args", given, options.texts)

    def env(self, variables: Mapping[str, str]) -> Self:
        """Set environment variables of the task's own."""
        return self._set("env", "env", variables, options.text_map)

    def cwd(self, path: str) -> Self:
        """Set the working directory."""
        return self._set("cwd", "cwd", path, options.filled_text)

    def limits(self, limits: Limits | Mapping[str, Any]) -> Self:
        """Set what one run may use; sizes are bytes, or text such as `"256M"`."""
        return self._set("limits", "limits", limits, options.limits)

    def import_map(self, url: str) -> Self:
        """Set the import map of a deno task."""
        return self._set("import_map_url", "import_map", url, options.filled_text)

    def schedule(self, cron: str, timezone: str | None = None, catch_up: CatchUp | str | None = None) -> Self:
        """Set when it runs by itself: a cron expression, read in an IANA `timezone` (UTC)."""
        self._set("schedule", "schedule", cron, options.filled_text)
        self._set("timezone", "timezone", timezone, options.filled_text)
        return self._set("catch_up", "catch_up", catch_up, options.one_of(CatchUp))

    def name(self, name: str) -> Self:
        """Set the name for people."""
        return self._set("name", "name", name, options.text)

    def description(self, description: str) -> Self:
        """Set the description for people."""
        return self._set("description", "description", description, options.text)

    def topic(self, topic: str) -> Self:
        """Set the lane."""
        return self._set("topic", "topic", topic, options.topic)

    def max_concurrency(self, runs: int) -> Self:
        """Set how many runs may go on at once, across all workers."""
        return self._set("max_concurrency", "max_concurrency", runs, options.whole(1))

    def priority(self, priority: int) -> Self:
        """Set the priority, 0 to 100, higher first."""
        return self._set("priority", "priority", priority, options.whole(0, MAX_PRIORITY))

    def persist(self, persist: bool) -> Self:  # noqa: FBT001 - reads as `.persist(False)`
        """Set whether its executions are archived."""
        return self._set("persist", "persist", persist, options.flag)

    def enabled(self, enabled: bool) -> Self:  # noqa: FBT001 - as above
        """Set whether it runs at all."""
        return self._set("enabled", "enabled", enabled, options.flag)

    def tags(self, *tags: str) -> Self:
        """Set free words for people and tools."""
        return self._set("tags", "tags", tags, options.texts)

    def metadata(self, metadata: Mapping[str, Any]) -> Self:
        """Set settings of the runtime, such as `{"pythonConfig": {"venvPath": "…"}}`."""
        return self._set("metadata", "metadata", metadata, options.task_metadata)

    def retention(self, retention: Retention | Mapping[str, int]) -> Self:
        """Set how long its executions are kept, in days."""
        return self._set("retention", "retention", retention, options.retention)

    def build(self) -> TaskDefinition:
        """Return the task; raises `DefinitionError` when it has no entrypoint."""
        if "entrypoint" not in self._values:
            raise self._error("it has no entrypoint", 'say which program it is: .entrypoint("./resize.ts")')
        return TaskDefinition(
            Declaration(
                id=self._id,
                concept=Concept.TASK,
                source=Source.DIRECTORY,
                file=self._file,
                line=self._line,
                **self._values,
            )
        )

    def _set(self, field: str, said: str, value: object, check: options.OptionCheck) -> Self:
        if value is not None:
            try:
                self._values[field] = check(value)
            except ValueError as error:
                text = str(error)
                raise self._error(said + text if text.startswith(".") else f"{said} {text}") from None
        return self

    def _error(self, reason: str, hint: str = "") -> DefinitionError:
        return DefinitionError(
            f"define_task({self._id!r}) ({self._file}:{self._line}): {reason}",
            file=self._file,
            line=self._line,
            hint=hint,
        )


def define_task(id: str) -> TaskBuilder:
    """Begin a task: `define_task("resize").runtime("deno").entrypoint("./resize.ts").timeout("30s").build()`."""
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - where it stands, for messages
    file, line = frame.f_code.co_filename, frame.f_lineno
    return TaskBuilder(options.checked_id(id, "define_task", file, line), file, line)


def _keys(declaration: Declaration) -> dict[str, Any]:
    """Return the keys that a task in the config file would have; what is unset is left out."""
    plain: dict[str, Any] = msgspec.to_builtins(declaration)
    for own in ("concept", "source", "file", "line"):
        del plain[own]
    limits = plain.get("limits")
    if limits:
        plain["limits"] = {key: value for key, value in limits.items() if value is not None}
    return {key: value for key, value in plain.items() if value is not None}
