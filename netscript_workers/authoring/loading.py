"""Imports job modules by their path, and finds the handlers in them (SPEC section 6)."""

import contextlib
import hashlib
import importlib.machinery
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Final

import msgspec

from netscript_workers.authoring.definition import definition_of
from netscript_workers.authoring.handler import Handler, build_handler
from netscript_workers.authoring.text import bounded, safe_str
from netscript_workers.domain.ids import is_target_id, kebab
from netscript_workers.errors import DefinitionError, ModuleLoadError

PREFIX: Final = "_netscript_workers_job_"
CONVENTIONAL_NAMES: Final = ("default", "handler")
_INSTALLED: Final = frozenset({"site-packages", "dist-packages"})
_OWN: Final = str(Path(__file__).resolve().parent.parent)


class HandlerRef(msgspec.Struct, frozen=True):
    """Where a handler is: `attribute` of the module at `path`, or (None) found by its id and SPEC section 6."""

    target_id: str
    path: str
    attribute: str | None = None


class _FreshSource(importlib.machinery.SourceFileLoader):
    """Compiles the file itself, always: cached bytecode is told by its second, and a reload may come within the same one."""

    def path_stats(self, path: str) -> Mapping[str, Any]:
        raise OSError("bytecode is neither read nor written")


def load_module(path: str, root: str) -> ModuleType:
    """Import the Python file `path`, once per process, with `root` on `sys.path` for its siblings.

    `root` goes last: a job file named `email.py` must not hide the standard library's. What the module prints
    while it is imported goes to stderr. Raises `ModuleLoadError` with the traceback, whatever the module does
    (but `os._exit`); a module that failed is forgotten and tried anew by the next call.
    """
    real = _inside(path, root)
    name = module_name(real)
    base = str(Path(root).resolve())
    if base not in sys.path:
        sys.path.append(base)
    loaded = sys.modules.get(name) or _imported_by_sibling(real, base)
    if loaded is not None:
        sys.modules[name] = loaded
        return loaded
    loader = _FreshSource(name, real)
    spec = importlib.util.spec_from_file_location(name, real, loader=loader)
    if spec is None:
        raise ModuleLoadError(f"{real} cannot be imported: it is no Python source file", file=real)
    module = importlib.util.module_from_spec(spec)
    names = [name, *_sibling_name(real, base)]
    sys.modules.update(dict.fromkeys(names, module))
    try:
        with contextlib.redirect_stdout(sys.stderr):
            loader.exec_module(module)
    except BaseException as error:  # a module may raise anything, `SystemExit` included
        for each in names:
            sys.modules.pop(each, None)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise _load_error(error, real) from None
    return module


def forget_modules(root: str) -> None:
    """Forget every module that was imported from below `root`, so that a reload reads the files again.

    Code that runs keeps what it has. Installed packages stay, also where their environment lies below `root`.
    """
    base = str(Path(root).resolve())
    for name, module in list(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if isinstance(file, str) and file.startswith(base + os.sep) and not _is_installed(file):
            del sys.modules[name]
    with contextlib.suppress(ValueError):
        sys.path.remove(base)
    importlib.invalidate_caches()


def _is_installed(file: str) -> bool:
    return not _INSTALLED.isdisjoint(Path(file).parts) or file.startswith(_OWN + os.sep)


def module_name(path: str) -> str:
    """Return the name under which the file at the real path `path` is imported: unique to it."""
    return f"{PREFIX}{Path(path).stem}_{hashlib.sha256(path.encode()).hexdigest()[:12]}"


def handlers_in(
    module: ModuleType, path: str, unusable: list[DefinitionError] | None = None
) -> list[Handler]:
    """Return a module's handlers in order: every `@job` of its own; else `default` or `handler`.

    A job that the module only imported from another one does not count. Raises `ModuleLoadError` when there
    is nothing to run, `DefinitionError` when a handler cannot be used; with a list `unusable` such errors are
    put there, and the other handlers returned.
    """
    jobs = list(_jobs_of(module))
    found: list[Handler] = []
    for function, definition in jobs:
        try:
            found.append(build_handler(function, definition.id or _stem_id(path), file=path))
        except DefinitionError as error:
            if unusable is None:
                raise
            unusable.append(error)
    if jobs:
        return found
    for name in CONVENTIONAL_NAMES:
        function = getattr(module, name, None)
        if callable(function):
            return [build_handler(function, _stem_id(path), file=path)]
    raise ModuleLoadError(
        f"{path} exports nothing to run",
        file=path,
        hint="decorate a function with @job(…), or name it `handler`; begin the file's name with _ if it is no job",
    )


def load_handler(ref: HandlerRef, root: str) -> Handler:
    """Import the module of `ref` and return its handler; raises `ModuleLoadError` when there is none."""
    module = load_module(ref.path, root)
    if ref.attribute is not None:
        return named_handler(module, ref)
    handlers = handlers_in(module, ref.path)
    for handler in handlers:
        if handler.target_id == ref.target_id:
            return handler
    if len(handlers) == 1:  # the config may give the only handler of a file another id
        return handlers[0]._replace(target_id=ref.target_id)
    names = ", ".join(repr(handler.target_id) for handler in handlers)
    raise ModuleLoadError(
        f"{ref.path} has no handler for {ref.target_id!r}, it has {names}",
        file=ref.path,
        hint="write the entrypoint as `path.py:function`",
    )


def named_handler(module: ModuleType, ref: HandlerRef) -> Handler:
    """Return the handler under `ref.attribute`; `ModuleLoadError` when it is missing or cannot be called."""
    function = getattr(module, ref.attribute or "", None)
    if not callable(function):
        what = "is not callable" if hasattr(module, ref.attribute or "") else "does not exist"
        raise ModuleLoadError(
            f"{ref.path}: {ref.attribute!r}, named by the entrypoint of {ref.target_id!r}, {what}",
            file=ref.path,
            hint="the part behind the colon is the name of a function in the module",
        )
    return build_handler(function, ref.target_id, file=ref.path)


def _jobs_of(module: ModuleType) -> Iterator[tuple[Callable[..., Any], Any]]:
    """Yield the module's own jobs; one bound to two names, or wrapped again, once (its last binding)."""
    own: dict[int, tuple[Callable[..., Any], Any]] = {}
    for value in list(vars(module).values()):
        definition = definition_of(value)
        if definition is None or getattr(value, "__module__", None) != module.__name__:
            continue
        own[id(definition)] = (value, definition)
    yield from own.values()


def _stem_id(path: str) -> str:
    stem = kebab(Path(path).stem)
    if not is_target_id(stem):
        raise DefinitionError(
            f"{path}: its name gives no usable id",
            file=path,
            hint='name it in letters and digits, or give the job an id: @job("my-id")',
        )
    return stem


def _imported_by_sibling(path: str, base: str) -> ModuleType | None:
    """Return the module of that file if one of its siblings has imported it by its plain name already."""
    dotted = ".".join(Path(path).relative_to(base).with_suffix("").parts)
    module = sys.modules.get(dotted)
    return module if module is not None and getattr(module, "__file__", None) == path else None


def _sibling_name(path: str, base: str) -> list[str]:
    """Return the plain name under which siblings would import this very file, so that they get the same module."""
    if str(Path(path).parent) != base:
        return []
    stem = Path(path).stem
    if stem in sys.modules:
        return []
    try:
        spec = importlib.util.find_spec(stem)
    except (ImportError, ValueError):
        return []
    return [stem] if spec is not None and spec.origin == path else []


def _inside(path: str, root: str) -> str:
    real, base = Path(path).resolve(), Path(root).resolve()
    if not real.is_relative_to(base):
        raise ModuleLoadError(
            f"{path} leads out of {base}, to {real}", file=path, hint="keep job modules in their directory"
        )
    return str(real)


def _load_error(error: BaseException, path: str) -> ModuleLoadError:
    frames = _from_file(error.__traceback__, path)
    try:
        text = bounded("".join(traceback.format_exception(type(error), error, frames)).rstrip())
    except Exception:  # noqa: BLE001 - an exception class can break its own formatting in any way
        text = f"{type(error).__name__}: {safe_str(error)}"
    if isinstance(error, SystemExit):
        reason = f"it calls sys.exit({safe_str(error)}) while it is imported"
    else:
        reason = f"{type(error).__name__}: {bounded(safe_str(error), 500)}"
    return ModuleLoadError(
        f"{path} cannot be imported: {reason}\n{text}",
        file=path,
        line=_line(error, frames, path),
        traceback=text,
    )


def _from_file(frames: TracebackType | None, path: str) -> TracebackType | None:
    """Drop the frames of the import machinery that come before the module's own."""
    while frames is not None and frames.tb_frame.f_code.co_filename != path:
        frames = frames.tb_next
    return frames


def _line(error: BaseException, frames: TracebackType | None, path: str) -> int | None:
    if isinstance(error, SyntaxError) and error.filename == path:
        return error.lineno
    return frames.tb_lineno if frames else None
