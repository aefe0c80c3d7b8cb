"""Finding the config file and reading it: values, positions, and why it could not be read."""

from pathlib import Path
from typing import Final

from netscript_workers.config.document import Document
from netscript_workers.config.home import at_home
from netscript_workers.config.options import LoadOptions
from netscript_workers.domain.problem import Problem

SYSTEM_FILE: Final = Path("/etc/netscript-workers/config.toml")
LOCAL_FILES: Final = ("config.toml", "workers.toml")


def find_file(options: LoadOptions) -> tuple[Path | None, list[Problem]]:
    """Return the absolute path of the config file, or None when there is none, by the order of SPEC section 4.

    A file that was named but is not there is an error: it never falls back to another one.
    """
    named = options.path
    said_by = "--config"
    if named is None and options.environ.get("WORKERS_CONFIG"):
        named, said_by = Path(options.environ["WORKERS_CONFIG"]), "WORKERS_CONFIG"
    if named is not None:
        path = options.cwd / at_home(named)
        if path.is_dir():
            return path, [
                Problem(code="E001", message=f"{path} is a directory", hint=f"{said_by} must name a file")
            ]
        if not path.exists():
            hint = f"{said_by} names it: check the path, or run `workers init` to make one"
            return path, [Problem(code="E001", message=f"there is no file {path}", hint=hint)]
        return path, []
    candidates = [*(options.cwd / name for name in LOCAL_FILES), SYSTEM_FILE]
    return next((path for path in candidates if path.is_file()), None), []


def read(file: Path) -> Document:
    """Read `file`, TOML or (with the suffix `.py`) Python. What is broken is among the problems."""
    try:
        raw = file.read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return _broken(file, Problem(code="E001", message=f"cannot read {file}: {reason}", file=str(file)))
    if file.suffix == ".py":
        from netscript_workers.config.python_source import read_python

        return read_python(file, raw)
    from netscript_workers.config.toml_source import read_toml

    return read_toml(file, raw)


def empty(file: Path | None = None) -> Document:
    """Return a document that says nothing."""
    return Document(file, {}, {}, [])


def _broken(file: Path, problem: Problem) -> Document:
    return Document(file, {}, {}, [problem])
