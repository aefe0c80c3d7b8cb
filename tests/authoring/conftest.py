from pathlib import Path

import pytest

from support.modules import modules_in


@pytest.fixture
def modules(tmp_path: Path):
    with modules_in(tmp_path / "jobs") as found:
        yield found
