"""Files to start from: their templates, and how they are written."""

from pathlib import Path

from netscript_workers.domain.ids import is_target_id, kebab
from netscript_workers.errors import UsageError


def starter(name: str) -> str:
    """Return the text of a template."""
    from importlib import resources

    return resources.files("netscript_workers.cli").joinpath("starter", name).read_text(encoding="utf-8")


def write(path: Path, text: str) -> None:
    """Write a new file, with its directories; raises `UsageError` when it is there or cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from error


def usable_id(name: str, topic: str | None) -> str:
    """Return `name` as an id; raises `UsageError` when it, or the topic, cannot be one."""
    target_id = kebab(name)
    if not is_target_id(target_id) or (topic is not None and not is_target_id(topic)):
        raise UsageError(
            f"“{topic if is_target_id(target_id) else name}” is no usable name. "
            "Use lower-case letters, digits and hyphens: send-mail."
        )
    return target_id
