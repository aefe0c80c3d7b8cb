"""Reading a Python config: a module with a name bound to `define_workers(…)`.

The module is the user's own code and runs; whatever it raises is reported with the line in it.
"""

import importlib.util
import sys
import traceback
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import msgspec

from netscript_workers.config.document import Document
from netscript_workers.config.locate_python import locate_python
from netscript_workers.domain.problem import Problem
from netscript_workers.errors import DefinitionError


def read_python(file: Path, raw: bytes) -> Document:
    """Compile, run and read `file`; never raises for what it does."""
    try:
        compile(raw, str(file), "exec")
    except SyntaxError as error:
        message = f"broken Python: {error.msg}"
        return _broken(file, "E003", message, line=error.lineno, column=error.offset)
    except ValueError as error:
        return _broken(file, "E003", f"broken Python: {error}")
    try:
        module = _run(file)
    except DefinitionError as error:
        return _broken(file, "E003", str(error), line=_line_in(file, error), hint=error.hint or "")
    except Exception as error:  # noqa: BLE001 - user code may raise anything; it is reported, not swallowed
        return _broken(file, "E003", f"the config raised {_told(error)}", line=_line_in(file, error))
    except SystemExit:
        return _broken(
            file, "E003", "the config ended the program (SystemExit)", hint="a config only defines"
        )
    return _definition(file, raw, module)


def _run(file: Path) -> ModuleType:
    name = "_netscript_workers_config"
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {file}")
    module = importlib.util.module_from_spec(spec)
    with _importable(file.parent, name, module):
        spec.loader.exec_module(module)
    return module


@contextmanager
def _importable(directory: Path, name: str, module: ModuleType) -> Generator[None]:
    """Let the config import its neighbours, and leave the process as it was."""
    sys.path.insert(0, str(directory))
    sys.modules[name] = module
    known = set(sys.modules)
    writes_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        yield
    finally:
        sys.dont_write_bytecode = writes_bytecode
        for each in (name, *_neighbours(directory, known)):
            sys.modules.pop(each, None)
        if str(directory) in sys.path:
            sys.path.remove(str(directory))


def _neighbours(directory: Path, known: set[str]) -> list[str]:
    """Return the names of modules of `directory` that were imported meanwhile: a reload reads them anew."""
    found: list[str] = []
    for name in sys.modules.keys() - known:
        file = getattr(sys.modules[name], "__file__", None)
        if (
            isinstance(file, str)
            and Path(file).is_relative_to(directory)
            and "site-packages" not in Path(file).parts
        ):
            found.append(name)
    return found


def _definition(file: Path, raw: bytes, module: ModuleType) -> Document:
    from netscript_workers.authoring.definitions import WorkersDefinition

    bound = [(name, value) for name, value in vars(module).items() if isinstance(value, WorkersDefinition)]
    if not bound:
        hint = "write for example: config = define_workers(concurrency=4)"
        return _broken(file, "E004", "no name in this file is bound to define_workers(…)", hint=hint)
    if len({id(value) for _, value in bound}) > 1:
        names = ", ".join(name for name, _ in bound)
        return _broken(
            file, "E004", f"several names are bound to define_workers(…): {names}", hint="keep one of them"
        )
    definition = bound[0][1]
    values = cast("Mapping[str, Any]", plain(definition.values))
    return Document(file, values, locate_python(raw.decode("utf-8", "replace"), definition.line), [])


def plain(value: object) -> object:
    """Return what a TOML file would say: tables, lists and single values, with nothing that is unset."""
    if isinstance(value, msgspec.Struct):
        return plain(msgspec.to_builtins(value, builtin_types=(bytes, timedelta), str_keys=True))
    if isinstance(value, Mapping):
        table = cast("Mapping[object, object]", value)
        return {str(key): plain(item) for key, item in table.items() if item is not None}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(item) for item in cast("list[object]", value)]
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, timedelta):
        return round(value.total_seconds() * 1000)
    return value


def _told(error: Exception) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _line_in(file: Path, error: Exception) -> int | None:
    frames = traceback.extract_tb(error.__traceback__)
    return next((frame.lineno for frame in reversed(frames) if frame.filename == str(file)), None)


def _broken(
    file: Path, code: str, message: str, *, line: int | None = None, column: int | None = None, hint: str = ""
) -> Document:
    problem = Problem(code=code, message=message, hint=hint, file=str(file), line=line, column=column)
    return Document(file, {}, {}, [problem])
