"""The SQL of this engine, read once from the files named by their verb."""

from importlib.resources import files
from typing import Final

_FOLDER: Final = "sql"


class Statements:
    """Hands out statements by their verb; each file is read when its statement is first asked for."""

    def __init__(self) -> None:
        """Read nothing yet."""
        self._texts: dict[str, str] = {}

    def __getitem__(self, verb: str) -> str:
        """Return the statement in `sql/<verb>.sql`."""
        text = self._texts.get(verb)
        if text is None:
            text = (files(__package__ or "") / _FOLDER / f"{verb}.sql").read_text(encoding="utf-8")
            self._texts[verb] = text
        return text

    def script(self, verb: str) -> list[str]:
        """Return the statements of a file that holds several, without comments."""
        lines = [line for line in self[verb].splitlines() if not line.lstrip().startswith("--")]
        return [statement for part in "\n".join(lines).split(";") if (statement := part.strip())]
