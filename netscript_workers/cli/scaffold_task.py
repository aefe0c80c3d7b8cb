"""`workers add task`: a program in another runtime, and the module that makes a task of it."""

import keyword
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from netscript_workers.cli import options, render, session
from netscript_workers.cli.starting_files import starter, usable_id, write
from netscript_workers.domain.target import TaskType
from netscript_workers.errors import UsageError

_ENDINGS: Final = {
    TaskType.DENO: ".ts",
    TaskType.PYTHON: ".py",
    TaskType.DOTNET: ".cs",
    TaskType.CMD: ".cmd",
    TaskType.POWERSHELL: ".ps1",
    TaskType.SHELL: ".sh",
    TaskType.EXECUTABLE: "",
}
_MODE_OF_PROGRAMS: Final = 0o755
# The least that Deno's template needs. Programs in other runtimes begin without: not every system could enforce them.
_PERMISSIONS: Final = '\n    .permissions({"env": ["TASK_PAYLOAD"]})'


def register(add: typer.Typer) -> None:
    """Add the command to the group `add`."""
    add.command(
        "task",
        epilog=options.examples(
            "workers add task resize-image --runtime deno", "workers add task backup --runtime shell"
        ),
    )(add_task)


def add_task(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new task, kebab-case.")],
    runtime: Annotated[
        TaskType, typer.Option("--runtime", help="What runs its program.", case_sensitive=False)
    ] = TaskType.DENO,
    topic: options.TopicFilter = None,
    config: options.Config = None,
) -> None:
    """Write a program and the definition of its task into tasks_dir, ready to run and to be filled in."""
    target_id = usable_id(name, topic)
    settings = session.settings_of(options.load_options(config))
    stem = target_id.replace("-", "_")
    program = settings.tasks_dir / f"{stem}{_ENDINGS[runtime]}"
    definition = settings.tasks_dir / f"{stem}_task.py"
    for path in (program, definition):
        if path.exists():
            raise UsageError(f"{path} exists already; nothing was written. Choose another name.")
    variable = stem if stem.isidentifier() and not keyword.iskeyword(stem) else f"task_{stem}"
    extra = _PERMISSIONS if runtime is TaskType.DENO else ""
    extra += "" if topic is None else f'\n    .topic("{topic}")'
    write(program, Template(starter(f"task_{runtime.value}.template")).substitute(id=target_id))
    if runtime is TaskType.EXECUTABLE:
        program.chmod(_MODE_OF_PROGRAMS)
    text = Template(starter("task_definition.template")).substitute(
        id=target_id, type=runtime.value, program=program.name, variable=variable, options=extra
    )
    write(definition, text)
    _say(target_id, program, definition, is_confined=runtime is TaskType.DENO)


def _say(target_id: str, program: Path, definition: Path, *, is_confined: bool) -> None:
    render.data(str(program))
    render.data(str(definition))
    render.note(f'Try it without a queue: workers exec {target_id} --payload \'{{"name": "Ada"}}\'')
    if not is_confined:
        render.note(
            f"Nothing confines it yet. See what it must be permitted: workers permissions record {target_id}"
        )
