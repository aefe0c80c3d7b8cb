"""The environment variables that settings come from, each with its key and its reader."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from netscript_workers.config.home import at_home
from netscript_workers.config.place import KeyPath, dotted
from netscript_workers.domain.problem import Problem

_TRUE: Final = frozenset({"1", "true", "yes", "on"})
_FALSE: Final = frozenset({"0", "false", "no", "off"})


class Assignment(NamedTuple):
    """A value that a variable or an option gives to a key; `name` is the variable or the option."""

    path: KeyPath
    value: Any
    name: str


class Variables(NamedTuple):
    """What the environment says of the config, and what is wrong with it."""

    assignments: list[Assignment]
    problems: list[Problem]


def _text(value: str) -> object:
    return value


def _whole(value: str) -> object:
    try:
        return int(value.strip(), 10)
    except ValueError:
        raise ValueError("must be a whole number") from None


def _flag(value: str) -> object:
    word = value.strip().lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    raise ValueError("must be true or false (1, 0, yes, no, on, off)")


def _path(value: str) -> object:
    return Path(value)


def _queue_path(value: str) -> object:
    return value if ":" in value else Path(value)


def _duration(value: str) -> object:
    stripped = value.strip()
    return int(stripped) if stripped.isdecimal() else stripped


Reader = Callable[[str], object]

# Where two variables give one key, the first that is set wins.
VARIABLES: Final[Mapping[str, tuple[KeyPath, Reader]]] = {
    "WORKERS_CONCURRENCY": (("concurrency",), _whole),
    "WORKER_RUNTIMES": (("runtime",), _text),
    "WORKERS_QUEUE": (("queue_name",), _text),
    "WORKERS_QUEUE_PROVIDER": (("queue_provider",), _text),
    "WORKERS_JOBS_DIR": (("jobs_dir",), _path),
    "NETSCRIPT_JOBS_DIR": (("jobs_dir",), _path),
    "WORKERS_TASKS_DIR": (("tasks_dir",), _path),
    "NETSCRIPT_TASKS_DIR": (("tasks_dir",), _path),
    "WORKERS_ENABLED": (("enabled",), _flag),
    "WORKERS_SHUTDOWN_TIMEOUT": (("shutdown_timeout",), _duration),
    "WORKERS_LOG_LEVEL": (("log", "level"), _text),
    "WORKERS_LOG_FORMAT": (("log", "format"), _text),
    "REDIS_URL": (("connections", "redis_url"), _text),
    "DATABASE_URL": (("connections", "database_url"), _text),
    "AMQP_URL": (("connections", "amqp_url"), _text),
    "DENO_KV_URL": (("connections", "deno_kv_path"), _queue_path),
}
URL_VARIABLES: Final = ("REDIS_URL", "DATABASE_URL", "AMQP_URL", "DENO_KV_URL")


def read_environment(environ: Mapping[str, str], cwd: Path) -> Variables:
    """Read the variables that are set. An empty one counts as unset; relative paths start from `cwd`."""
    found = Variables([], [])
    taken: set[KeyPath] = set()
    for name, (path, reader) in VARIABLES.items():
        given = _given(name, environ, cwd, found.problems)
        if given is None or path in taken:
            continue
        taken.add(path)
        value, said_by = given
        try:
            read = reader(value)
        except ValueError as error:
            found.problems.append(
                Problem(
                    code="E005",
                    message=f"{said_by} {error}, not {value!r}",
                    hint=f"mend or unset {said_by}",
                    path=dotted(path),
                )
            )
            continue
        if isinstance(read, Path):
            read = str(cwd / at_home(read))
        found.assignments.append(Assignment(path, read, said_by))
    if environ.get("WORKER_CONCURRENCY"):
        found.problems.append(
            Problem(
                code="W001",
                message="WORKER_CONCURRENCY is set, but nothing reads it",
                hint="the variable is WORKERS_CONCURRENCY, with an S",
                path="concurrency",
            )
        )
    return found


def _given(
    name: str, environ: Mapping[str, str], cwd: Path, problems: list[Problem]
) -> tuple[str, str] | None:
    """Return the value of a variable, or of the file that its `_FILE` twin names, and who said it."""
    value = environ.get(name)
    twin = f"{name}_FILE"
    path = environ.get(twin) if name in URL_VARIABLES else None
    if not path:
        return (value, name) if value else None
    if value:
        problems.append(
            Problem(
                code="E005",
                message=f"{name} and {twin} are both set",
                hint="unset one of them",
                path=dotted(VARIABLES[name][0]),
            )
        )
        return None
    try:
        text = (cwd / at_home(path)).read_text(encoding="utf-8").strip("\r\n")
        reason = "" if text else "it is empty"
    except UnicodeDecodeError:
        text, reason = "", "it is no UTF-8 text"
    except OSError as error:
        text, reason = "", error.strerror or type(error).__name__
    if reason:
        problems.append(
            Problem(
                code="E007",
                message=f"{twin} names the file {path}, which gives no value: {reason}",
                hint=f"write the URL into that file, or unset {twin}",
                path=dotted(VARIABLES[name][0]),
            )
        )
        return None
    return text, twin
