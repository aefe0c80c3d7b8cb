"""Jobs: what the modules of the jobs directory hold, and what the config says of them (SPEC section 6)."""

from collections.abc import Sequence
from pathlib import Path

from netscript_workers.authoring.confine import ConfinementError, confine, split_entrypoint
from netscript_workers.authoring.definition import definition_of
from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.loading import HandlerRef, handlers_in, load_module, named_handler
from netscript_workers.catalog import codes
from netscript_workers.catalog.found import Findings, Found
from netscript_workers.catalog.walking import python_files
from netscript_workers.domain.target import Declaration
from netscript_workers.errors import DefinitionError, ModuleLoadError


class JobModules:
    """The job modules of one directory: each is imported once, and complained about once."""

    def __init__(self, root: Path, findings: Findings) -> None:
        self._root = root
        self._findings = findings
        self._handlers: dict[str, tuple[Handler, ...]] = {}
        self._failed: set[str] = set()
        self._named_by_config: set[str] = set()

    def handlers(self, path: str) -> tuple[Handler, ...]:
        """Return the handlers in the module at `path`; none, and a problem, when it has none or fails to import."""
        known = self._handlers.get(path)
        if known is not None:
            return known
        handlers: tuple[Handler, ...] = ()
        try:
            module = load_module(path, str(self._root))
        except ModuleLoadError as error:
            self._failed.add(path)
            self._findings.report(error, codes.IMPORT_FAILED)
        else:
            unusable: list[DefinitionError] = []
            try:
                handlers = tuple(handlers_in(module, path, unusable))
            except ModuleLoadError as error:
                # The config may name a function of a module that marks none itself.
                if path not in self._named_by_config:
                    self._findings.report(error, codes.NOTHING_TO_RUN)
            except DefinitionError as error:
                unusable.append(error)
            for error in unusable:
                self._findings.report(error, codes.BAD_DEFINITION)
        self._handlers[path] = handlers
        return handlers

    def handler_for(self, declaration: Declaration, path: str, attribute: str | None) -> Handler | None:
        """Return the handler that a config job means; None when there is none, which is then among the problems."""
        if attribute is not None:
            return self._named(declaration, path, attribute)
        handlers = self.handlers(path)
        for handler in handlers:
            if handler.target_id == declaration.id:
                return handler
        if len(handlers) == 1:
            return handlers[0]
        if handlers:
            names = ", ".join(repr(handler.target_id) for handler in handlers)
            self._findings.report(
                DefinitionError(
                    f"{path} has no handler of that id, it has {names}",
                    hint="write the entrypoint as `path.py:function`",
                ),
                codes.NO_SUCH_HANDLER,
                declaration,
            )
        return None

    def _named(self, declaration: Declaration, path: str, attribute: str) -> Handler | None:
        self._named_by_config.add(path)
        if path not in self._failed:
            try:
                module = load_module(path, str(self._root))
                return named_handler(module, HandlerRef(declaration.id, path, attribute))
            except ModuleLoadError as error:
                if error.traceback:
                    self._failed.add(path)
                    self._handlers[path] = ()
                    self._findings.report(error, codes.IMPORT_FAILED)
                else:
                    self._findings.report(error, codes.NO_SUCH_HANDLER, declaration)
            except DefinitionError as error:
                self._findings.report(error, codes.BAD_DEFINITION)
        return None


def collect_jobs(root: Path, declarations: Sequence[Declaration], findings: Findings) -> None:
    """Find every job: the config's first, then those of the scanned modules that the config does not speak of."""
    modules = JobModules(root, findings)
    taken: set[tuple[str, str]] = set()  # (file, id) of handlers that a config job stands for
    scanned = tuple(python_files(root, findings))
    for declaration in declarations:
        found = _configured(declaration, root, modules, findings)
        if found is None:
            continue
        findings.add(found)
        handler = found.handler
        if handler is not None:
            own = definition_of(handler.function)
            taken.add((found.path, found.id))
            # A handler without an id of its own has only the one that the config gives it.
            if own is None or own.id is None:
                taken.add((found.path, _conventional_id(modules, handler, found)))
    for path in scanned:
        for handler in modules.handlers(path):
            if (path, handler.target_id) not in taken:
                findings.add(
                    Found(layers=(handler.declaration,), path=path, root=root.resolve(), handler=handler)
                )


def _configured(
    declaration: Declaration, root: Path, modules: JobModules, findings: Findings
) -> Found | None:
    relative, attribute = split_entrypoint(declaration.entrypoint or "")
    try:
        path = python_file(relative, root)
    except ConfinementError as error:
        findings.report(error, codes.NOT_CONFINED, declaration)
        return None
    handler = modules.handler_for(declaration, path, attribute)
    if handler is None:
        return None
    return Found(
        layers=(declaration, handler.declaration),
        path=path,
        root=root.resolve(),
        attribute=attribute,
        handler=handler._replace(target_id=declaration.id),
    )


def python_file(relative: str, root: Path) -> str:
    """Return the absolute path of a Python file within `root`; raises `ConfinementError`."""
    path = confine(relative, root)
    if not Path(path).is_file() or not path.endswith(".py"):
        raise ConfinementError(f"the entrypoint {relative!r} is no Python file")
    return path


def _conventional_id(modules: JobModules, handler: Handler, found: Found) -> str:
    for candidate in modules.handlers(found.path):
        if candidate.function is handler.function:
            return candidate.target_id
    return found.id
