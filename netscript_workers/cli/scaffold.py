"""`workers init` and `workers add`: files to start from."""

import keyword
from pathlib import Path
from string import Template
from typing import Annotated, Final

import typer

from netscript_workers.cli import options, render, scaffold_task, session
from netscript_workers.cli.starting_files import starter, usable_id, write
from netscript_workers.errors import UsageError

STARTER: Final[dict[str, str]] = {
    "config.toml": "config.toml",
    "README.md": "readme.template",
    ".gitignore": "gitignore.template",
    "workers/jobs/hello.py": "hello.template",
    "workers/jobs/count_primes.py": "count_primes.template",
}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command(
        "init",
        rich_help_panel=options.DEVELOPING,
        epilog=options.examples("workers init", "workers init shop && cd shop && workers combined"),
    )(init)
    add = typer.Typer(
        help="Add a file to a project.",
        epilog=options.examples("workers add job send-mail", "workers add task resize-image --runtime deno"),
        no_args_is_help=True,
        rich_markup_mode=None,
    )
    add.command(
        "job",
        epilog=options.examples("workers add job send-mail", "workers add job monthly-report --topic heavy"),
    )(add_job)
    scaffold_task.register(add)
    app.add_typer(add, name="add", rich_help_panel=options.DEVELOPING)


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", show_default=False, help="Where; else the current directory.")
    ] = Path(),
) -> None:
    """Lay out a small project that works: a config, two jobs, a README. Nothing is overwritten."""
    taken = [name for name in STARTER if (directory / name).exists()]
    if taken:
        raise UsageError(
            f"{directory.resolve()} already has {', '.join(taken)}; nothing was written. "
            "Choose another directory: workers init DIR"
        )
    for name, source in STARTER.items():
        text = starter(source)
        if name == "README.md":
            text = text.replace("$name", directory.resolve().name)
        write(directory / name, text)
        render.data(str(directory / name))
    where = "" if directory.resolve() == Path.cwd() else f"cd {directory} && "
    render.note(f"\nStart the daemon:  {where}workers combined")
    render.note(f'Then, elsewhere:   {where}workers trigger hello --payload \'{{"name": "Ada"}}\' --wait')


def add_job(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Id of the new job, kebab-case.")],
    topic: options.TopicFilter = None,
    config: options.Config = None,
) -> None:
    """Write a job module into jobs_dir, ready to run and to be filled in."""
    target_id = usable_id(name, topic)
    settings = session.settings_of(options.load_options(config))
    path = settings.jobs_dir / f"{target_id.replace('-', '_')}.py"
    if path.exists():
        raise UsageError(f"{path} exists already; nothing was written. Choose another name.")
    function = target_id.replace("-", "_")
    if keyword.iskeyword(function) or not function.isidentifier():
        function = f"job_{function}"
    extra = "" if topic is None else f', topic="{topic}"'
    text = Template(starter("job.template")).substitute(id=target_id, function=function, options=extra)
    write(path, text)
    render.data(str(path))
    render.note(f'Try it without a queue: workers exec {target_id} --payload \'{{"name": "Ada"}}\'')
