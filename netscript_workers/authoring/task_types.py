"""Which types a task may have: the seven of this package, and those that other packages register."""

import difflib
from typing import Final

from netscript_workers.domain.target import TaskType

GROUP: Final = "netscript_workers.runtimes"


def task_type(value: object) -> str:
    """Return the type of a task, as `TaskType` where it is one; the message of its `ValueError` follows the key's name."""
    try:
        return TaskType(value)
    except ValueError:
        pass  # perhaps another package's
    others = _registered() if isinstance(value, str) and value else []
    if isinstance(value, str) and value in others:
        return value
    known = [*TaskType, *others]
    near = difflib.get_close_matches(str(value), known, n=1)
    meant = f"; did you mean {str(near[0])!r}?" if near else ""
    raise ValueError(f"must be one of {', '.join(known)}, not {value!r}{meant}")


def _registered() -> list[str]:
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=GROUP)})
