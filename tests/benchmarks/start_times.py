# ruff: noqa: T201 - a benchmark prints
"""How long `workers --help` and `workers validate` take, beside the imports they need and an interpreter that does nothing.

    .venv/bin/python tests/benchmarks/start_times.py [--times 20]

Measures them in turn, on the project of `workers init`: without its jobs, as it is, and with a task that has permissions. What
a command needs is what it has loaded at its end; the same modules are imported alone, in the same order, by another interpreter.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

RUN = "import sys; sys.argv[0] = 'workers'; from netscript_workers.cli import main; main()"
LISTING = """
import json, sys
sys.argv[0] = 'workers'
from netscript_workers.cli import run
out, sys.stdout = sys.stdout, sys.stderr
assert run(sys.argv[1:]) == 0
known = {name for name, module in sys.modules.items() if getattr(module, '__spec__', None) and name != '__main__'}
print(json.dumps([name for name in sys.modules if name in known]), file=out)
"""
# What cannot be imported by its name was made by another module.
IMPORTING = """
import importlib
for name in {names!r}:
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""
TASK = '[[tasks]]\nid = "hello-sh"\ntype = "shell"\nentrypoint = "hello.sh"\npermissions = {}\n'


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--times", type=int, default=20)
    times = parser.parse_args().times
    with tempfile.TemporaryDirectory(prefix="start-times-") as root:
        cases = {"--help": (["--help"], Path(root))}
        cases |= {f"validate, {name}": (["validate"], path) for name, path in projects(Path(root)).items()}
        commands: dict[str, tuple[list[str], Path]] = {"nothing": (["-c", "pass"], Path(root))}
        for number, (name, (words, cwd)) in enumerate(cases.items()):
            alone = Path(root) / f"imports_{number}.py"
            alone.write_text(IMPORTING.format(names=needed(words, cwd)))
            commands[name] = (["-c", RUN, *words], cwd)
            commands[f"{name}: imports"] = ([str(alone)], cwd)
        taken = measured(commands, times)
    nothing = taken["nothing"]
    print(f"python3 -c pass: {nothing:.0f} ms (medians of {times})")
    for name in cases:
        whole, imports = taken[name], taken[f"{name}: imports"]
        beyond = whole - imports + nothing
        print(f"{name}: {whole:.0f} ms; without its imports {beyond:.0f} ms, {beyond / nothing:.1f} x")


def projects(root: Path) -> Mapping[str, Path]:
    """Lay out a project of each kind."""
    made = {name: root / name.replace(" ", "-") for name in ("no jobs", "two jobs", "and permissions")}
    for place in made.values():
        place.mkdir()
        subprocess.run([sys.executable, "-c", RUN, "init"], cwd=place, check=True, capture_output=True)
    for file in (made["no jobs"] / "workers" / "jobs").glob("*.py"):
        file.unlink()
    tasks = made["and permissions"] / "workers" / "tasks"
    tasks.mkdir()
    (tasks / "hello.sh").write_text("echo hello\n")
    with (made["and permissions"] / "config.toml").open("a") as file:
        file.write(f"\n{TASK}")
    return made


def needed(words: Sequence[str], cwd: Path) -> list[str]:
    """Return the modules that a command has loaded at its end, but for the project's own, in order."""
    done = subprocess.run(
        [sys.executable, "-c", LISTING, *words], cwd=cwd, check=True, capture_output=True, text=True
    )
    own = {file.stem for file in cwd.glob("workers/jobs/*.py")}
    return [name for name in json.loads(done.stdout) if name not in own]


def measured(commands: Mapping[str, tuple[Sequence[str], Path]], times: int) -> dict[str, float]:
    """Run the commands in turn and return the median of each in ms."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(times + 1):
        for name, (words, cwd) in commands.items():
            begun = time.perf_counter()
            subprocess.run([sys.executable, *words], cwd=cwd, check=True, capture_output=True)
            if number:  # the first one writes the compiled files
                taken[name].append((time.perf_counter() - begun) * 1000)
    return {name: median(each) for name, each in taken.items()}


if __name__ == "__main__":
    os.environ.pop("PYTHONSTARTUP", None)
    main()
