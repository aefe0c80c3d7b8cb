"""A fresh interpreter, for questions that this one has already spoilt: what is imported, what is open."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "netscript_workers"


def answer_of(code: str, **env: str) -> Any:
    """Run `code` in a new interpreter; it answers by calling `answer(value)`, with anything JSON can hold.

    The answer travels on a descriptor of its own, so what the code prints cannot disturb it.
    """
    with tempfile.TemporaryFile() as channel:
        preamble = (
            "def answer(value):\n"
            "    import json, os\n"
            f"    os.write({channel.fileno()}, json.dumps(value).encode())\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", preamble + code],
            pass_fds=[channel.fileno()],
            cwd=ROOT,
            env=os.environ | env,
            capture_output=True,
            text=True,
            timeout=50,
            check=False,
        )
        channel.seek(0)
        raw = channel.read()
    assert run.returncode == 0, f"the fresh interpreter failed:\n{run.stdout}{run.stderr}"
    return json.loads(raw)


def modules() -> list[str]:
    """Name every module of the package, from its files."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(ROOT).with_suffix("").parts
        names.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return [name for name in names if not name.endswith("__main__")]
