"""The handlers of a process, by target id: loaded at once (zygote, daemon) or when first asked for (a slot on its own)."""

from collections.abc import Sequence

from netscript_workers.authoring.handler import Handler
from netscript_workers.authoring.loading import HandlerRef, load_handler
from netscript_workers.domain.outcome import Cause, Outcome, failed
from netscript_workers.errors import DefinitionError


class Handlers:
    """Loads each handler once and remembers why one could not be loaded. Not for use from several threads."""

    def __init__(self, refs: Sequence[HandlerRef], root: str) -> None:
        self._refs = {ref.target_id: ref for ref in refs}
        self._root = root
        self._loaded: dict[str, Handler] = {}
        self._errors: dict[str, str] = {}

    def load_all(self) -> dict[str, str]:
        """Load every handler; return the text of what went wrong by target id. The rest can be run all the same."""
        for target_id in self._refs:
            self.get(target_id)
        return dict(self._errors)

    def add(self, handler: Handler) -> None:
        """Know `handler` too."""
        self._loaded[handler.target_id] = handler

    def get(self, target_id: str) -> Handler | None:
        """Return the handler of `target_id`, loading it when needed; None when it has none, `missing` says why."""
        handler = self._loaded.get(target_id)
        if handler is None and target_id not in self._errors:
            handler = self._load(target_id)
        return handler

    def missing(self, target_id: str) -> Outcome:
        """Return the outcome of an attempt whose handler could not be had. A retry may meet a mended module."""
        return failed(self._errors[target_id], Cause.EXCEPTION)

    def _load(self, target_id: str) -> Handler | None:
        ref = self._refs.get(target_id)
        if ref is None:
            self._errors[target_id] = (
                f"no handler is known for job {target_id!r} in this process; if it is new, reload the daemon (SIGHUP)"
            )
            return None
        try:
            handler = load_handler(ref, self._root)
        except DefinitionError as error:
            self._errors[target_id] = str(error)
            return None
        self._loaded[target_id] = handler
        return handler
