"""The `~` of paths."""

import os
from pathlib import Path


def at_home(path: str | Path) -> Path:
    """Return `path` with a leading `~` or `~user` replaced; that of an unknown user stays, as in a shell."""
    return Path(os.path.expanduser(path))  # noqa: PTH111 - pathlib's raises for an unknown user
