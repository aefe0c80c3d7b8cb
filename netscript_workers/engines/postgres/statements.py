"""The SQL of this engine, read once from the files named by their verb."""

from functools import cache
from importlib.resources import files
from typing import Final

_FOLDER: Final = "sql"


@cache
def statement(verb: str) -> str:
    """Return the statement in `sql/<verb>.sql`, without its comments."""
    text = (files(__package__ or "") / _FOLDER / f"{verb}.sql").read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if not line.startswith("--"))


def migrations() -> list[tuple[int, str, str]]:
    """Return the migrations in order: number, name, text."""
    folder = files(__package__ or "") / _FOLDER / "migrations"
    found = [(file.name, file) for file in folder.iterdir() if file.name.endswith(".sql")]
    return [
        (int(name.split("_", 1)[0]), name.removesuffix(".sql"), file.read_text(encoding="utf-8"))
        for name, file in sorted(found)
    ]
