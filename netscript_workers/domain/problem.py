"""A problem found by a check: what is wrong, where, and how to mend it."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """An error makes a configuration unusable, a warning is a hazard (`--strict` makes it fail)."""

    ERROR = "error"
    WARNING = "warning"


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One finding.

    `code` is stable (`E012`, `W021`); `path` is dotted with indexes (`groups[0].jobs[1].timeout`); `line` and
    `column` count from 1, None where the place is not known. `message` says what is wrong, `hint` how to mend it.
    """

    code: str
    message: str
    hint: str = ""
    path: str = ""
    file: str | None = None
    line: int | None = None
    column: int | None = None

    @property
    def severity(self) -> Severity:
        """Tell an error from a warning by the code's first letter."""
        return Severity.WARNING if self.code.startswith("W") else Severity.ERROR
