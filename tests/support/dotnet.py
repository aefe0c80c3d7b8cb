"""A real .NET host, and the attacks compiled for it."""

import json
import stat
import subprocess
from importlib.util import find_spec
from pathlib import Path

from support import debian, services

ATTACK = Path(__file__).parent / "attack.cs"
RUNTIME_CONFIG = {
    "runtimeOptions": {
        "framework": {"name": "Microsoft.NETCore.App", "version": "3.1.0"},
        "configProperties": {"System.Globalization.Invariant": True},
    }
}


def host() -> Path:
    """Return the host of the package dotnetcore2, executable; without it the test is skipped (or fails)."""
    found = find_spec("dotnetcore2")
    if found is None or found.origin is None:
        services.unavailable(
            "there is no .NET host here: the package dotnetcore2 of PyPI is for Linux on x86-64"
        )
    path = Path(found.origin).parent / "bin" / "dotnet"
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def compiled(source: Path, program: Path) -> Path:
    """Compile a C# file to `program`, a .dll with what its host must know beside it."""
    compiler = debian.program("mcs", "mono-mcs")
    subprocess.run([compiler, f"-out:{program}", "-target:exe", source], check=True, timeout=50)
    program.with_suffix(".runtimeconfig.json").write_text(json.dumps(RUNTIME_CONFIG))
    return program


def with_dotnet(folder: Path) -> tuple[Path, Path]:
    """Return the host, and the attacks as a program in `folder`."""
    return host(), compiled(ATTACK, folder / "attack.dll")
