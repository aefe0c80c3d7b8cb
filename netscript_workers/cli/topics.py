"""`workers pause` and `workers resume`: whether a topic's work is handed out."""

import typer

from netscript_workers.cli import completion, options, render, session


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    app.command("pause", rich_help_panel=options.QUEUE, epilog=options.examples("workers pause mail"))(pause)
    app.command("resume", rich_help_panel=options.QUEUE, epilog=options.examples("workers resume mail"))(
        resume
    )


def pause(topic: options.TopicArgument, config: options.Config = None) -> None:
    """Stop handing out work of a topic, on every worker, until `workers resume`. What runs goes on."""
    settings = session.settings_of(options.load_options(config))
    session.with_engine(settings, lambda engine: engine.pause(topic))
    known = completion.topics_of(settings)
    if topic not in known:
        render.note(f"Note: no job here has the topic {topic}; there are: {', '.join(known)}.")
    render.note(f"Topic {topic} is paused. Go on with: workers resume {topic}")


def resume(topic: options.TopicArgument, config: options.Config = None) -> None:
    """Hand out work of a topic again."""
    settings = session.settings_of(options.load_options(config))
    session.with_engine(settings, lambda engine: engine.resume(topic))
    render.note(f"Topic {topic} is served again.")
