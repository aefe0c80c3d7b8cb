"""TypeScript programs run by a real Deno, for tests of the file that it shares with us."""

import json
import subprocess
from pathlib import Path


def argv(deno: str, folder: Path, script: str, *arguments: str) -> list[str]:
    """Write `script` into `folder` and return the command that runs it, with the rights to use files and `Deno.openKv`."""
    file = folder / "script.ts"
    file.write_text(script)
    return [deno, "run", "--quiet", "--unstable-kv", "-A", str(file), *arguments]


def environment(folder: Path) -> dict[str, str]:
    """Return an environment in which Deno keeps its own files in `folder`."""
    return {"DENO_DIR": str(folder / "deno"), "NO_COLOR": "1", "PATH": "/usr/bin:/bin"}


def run(deno: str, folder: Path, script: str, *arguments: str):
    """Run `script` to its end; return what it printed, read as JSON (None for nothing)."""
    done = subprocess.run(
        argv(deno, folder, script, *arguments),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        env=environment(folder),
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout) if done.stdout.strip() else None
