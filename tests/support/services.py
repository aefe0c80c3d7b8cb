"""Real programs and servers for tests: used where they can be had, never silently missed in CI."""

import os
import shutil
import sys
from pathlib import Path
from typing import NoReturn

import pytest


def unavailable(reason: str) -> NoReturn:
    """Skip the test with `reason`; under REQUIRE_SERVICES=1 fail it instead."""
    if os.environ.get("REQUIRE_SERVICES") == "1":
        pytest.fail(f"REQUIRE_SERVICES=1, but {reason}", pytrace=False)
    pytest.skip(reason)


def program(name: str, hint: str) -> str:
    """Find a program beside this Python or on PATH; without it the test is skipped (or fails, see above)."""
    beside = Path(sys.executable).parent / name
    found = str(beside) if beside.is_file() else shutil.which(name)
    if found is None:
        unavailable(f"there is no `{name}` here: {hint}")
    return found
