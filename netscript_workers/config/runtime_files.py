"""The files of the runtime directory: which version is live, and what its JSON holds."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from netscript_workers.config.place import Place, problem_at
from netscript_workers.domain.problem import Problem
from netscript_workers.domain.runtime_layer import ALL_TOPICS

CURRENT: Final = "current"
CODE: Final = "E030"
_VERSION: Final = re.compile(r"\d+(?:\.\d+){0,3}(?:-[0-9A-Za-z.-]+)?")
_MOST_BYTES: Final = 16 * 1024 * 1024


class LiveFile(NamedTuple):
    """One version's file that is live for some topics; `topics` None: for all that no other file is named for."""

    path: Path
    version: str
    topics: tuple[str, ...] | None


class RuntimeFileError(Exception):
    """A file of the runtime directory cannot be used; `problem` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


def fingerprint(root: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes when anything in the runtime directory does. Reads no file; costs some microseconds for each."""
    found: list[tuple[str, int, int, int]] = []
    for folder in (root, root / "tasks", root / "jobs"):
        try:
            entries = list(folder.iterdir())
        except OSError:
            continue
        for path in entries:
            try:
                status = path.stat()
            except OSError:
                continue  # taken away meanwhile, or a link to nothing, which reading will report
            found.append((str(path), status.st_ino, status.st_mtime_ns, status.st_size))
    return tuple(sorted(found))


def live_files(root: Path, kind: str) -> list[LiveFile]:
    """Return the live files of a kind (`tasks` or `jobs`), those for named topics first; raises `RuntimeFileError`."""
    versions = _versions(root / kind)
    if not versions:
        return []
    named = _current(root, kind)
    highest = max(versions, key=_order)
    default = named.pop(ALL_TOPICS, highest)
    topics: dict[str, list[str]] = {}
    for topic, version in named.items():
        topics.setdefault(version, []).append(topic)
    files = [_live(versions, version, tuple(of)) for version, of in topics.items()]
    return [*files, _live(versions, default, None)]


def read_json(path: Path) -> Mapping[str, Any]:
    """Return the object that a file holds; raises `RuntimeFileError` with line and column."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise _error(path, f"is over {_MOST_BYTES} bytes")
        value: object = json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        place = Place(file=str(path), line=error.lineno, column=error.colno)
        raise RuntimeFileError(problem_at(CODE, place, f"broken JSON: {error.msg}")) from None
    except UnicodeDecodeError:
        raise _error(path, "is no UTF-8 text") from None
    except OSError as error:
        raise _error(path, f"cannot be read: {error.strerror}") from None
    if not isinstance(value, dict):
        raise _error(path, "must hold an object")
    return cast("dict[str, Any]", value)


def _versions(folder: Path) -> dict[str, Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix == ".json")
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except OSError as error:
        raise _error(folder, f"cannot be read: {error.strerror}") from None
    found: dict[str, Path] = {}
    for path in paths:
        version = path.stem.removeprefix("v")
        if path.stem == version or not _VERSION.fullmatch(version):
            raise _error(path, "is no version", "name it like v1.0.0.json")
        found[version] = path
    return found


def _current(root: Path, kind: str) -> dict[str, str]:
    """Return the version by topic that `current` names: of the kind's own file, else of the one beside the directories."""
    for path in (root / kind / CURRENT, root / CURRENT):
        try:
            text = path.read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError) as error:
            raise _error(path, f"cannot be read: {error}") from None
        if not text.startswith("{"):
            return {ALL_TOPICS: _version(path, text)}
        pointers = read_json(path)
        aliases = {"default": ALL_TOPICS} if "*" not in pointers else {}
        return {aliases.get(topic, topic): _version(path, version) for topic, version in pointers.items()}
    return {}


def _version(path: Path, value: object) -> str:
    text = value.strip().removeprefix("v") if isinstance(value, str) else ""
    if not _VERSION.fullmatch(text):
        raise _error(
            path,
            f"names no version: {value!r}",
            "write 1.0.0, or a JSON object with a version for each topic",
        )
    return text


def _live(versions: Mapping[str, Path], version: str, topics: tuple[str, ...] | None) -> LiveFile:
    path = versions.get(version)
    if path is None:
        folder = next(iter(versions.values())).parent
        raise _error(
            folder, f"has no version {version}, which `current` names", f"there are {', '.join(versions)}"
        )
    return LiveFile(path, version, topics)


def _order(version: str) -> tuple[list[int], bool, str]:
    numbers, _, extra = version.partition("-")
    return [int(part) for part in numbers.split(".")], not extra, extra  # 1.0.0 is above 1.0.0-rc1


def _error(path: Path, message: str, hint: str = "") -> RuntimeFileError:
    return RuntimeFileError(problem_at(CODE, Place(file=str(path)), f"{path.name} {message}", hint))
