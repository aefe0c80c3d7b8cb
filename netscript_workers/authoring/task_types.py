"""Which types a task may have: the seven of this package, and those that other packages register."""

import difflib
from collections.abc import Sequence
from typing import Final

from netscript_workers.domain.target import TaskType

GROUP: Final = "netscript_workers.runtimes"


class UnknownTaskTypeError(ValueError):
    """No task can have this type. `allowed` says which it can have, `near` is the nearest of them, None for none."""

    def __init__(self, value: object, known: Sequence[str]) -> None:
        """Say what `value` is none of; the message follows the key's name."""
        near = difflib.get_close_matches(str(value), known, n=1)
        self.allowed = f"must be one of {', '.join(known)}"
        self.near = str(near[0]) if near else None
        super().__init__(
            f"{self.allowed}, not {value!r}" + (f"; did you mean {self.near!r}?" if near else "")
        )


def task_type(value: object) -> str:
    """Return the type of a task, as `TaskType` where it is one; raises `UnknownTaskTypeError`."""
    try:
        return TaskType(value)
    except ValueError:
        pass  # perhaps another package's
    others = _registered() if isinstance(value, str) and value else []
    if isinstance(value, str) and value in others:
        return value
    raise UnknownTaskTypeError(value, [*TaskType, *others])


def _registered() -> list[str]:
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=GROUP)})
