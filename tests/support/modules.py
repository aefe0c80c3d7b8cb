"""A directory of modules for a test, forgotten by the interpreter afterwards."""

import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from netscript_workers.authoring.loading import forget_modules


class Modules:
    """Writes files below `root`."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, name: str, text: str = "") -> str:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text))
        return str(path)


@contextmanager
def modules_in(root: Path) -> Iterator[Modules]:
    root.mkdir(parents=True, exist_ok=True)
    before = sys.dont_write_bytecode
    sys.dont_write_bytecode = True  # a file changed within one second must not be taken from the cache
    try:
        yield Modules(root.resolve())
    finally:
        sys.dont_write_bytecode = before
        forget_modules(str(root))
