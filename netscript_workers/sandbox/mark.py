"""How the watcher of a confined run marks its own lines on standard error."""

from typing import Final

MARK: Final = "netscript-workers: denied:"
