"""The README, from top to bottom, as a reader would type it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

README = Path(__file__).parents[2] / "README.md"
BLOCK = re.compile(r"^```(sh|python|toml)\n(.*?)^```$", re.DOTALL | re.MULTILINE)

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(300)]


def script():
    """Join the blocks: shell as it stands, files as the first line of a block names them."""
    parts = ["set -euo pipefail"]
    for language, body in BLOCK.findall(README.read_text()):
        if language == "sh":
            parts.append(body)
            continue
        name = body.partition("\n")[0].removeprefix("# ")
        parts.append(f"cat > {name} <<'END_OF_BLOCK'\n{body}END_OF_BLOCK\n")
    return "\n".join(parts)


def test_every_block_works_in_its_order(tmp_path):
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", f"trap 'kill -TERM $(jobs -p) 2>/dev/null || true; wait' EXIT\n{script()}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    for said in ('"order_id": "A-1"', '"primes": 9592', "completed False", "hello"):
        assert said in done.stdout
