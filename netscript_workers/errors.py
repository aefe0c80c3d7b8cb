"""Every error this package raises on purpose, on one page, each with its exit status.

The exit statuses are the contract of the command line (SPEC section 5) and follow sysexits:
1 what was asked about failed, 2 wrong usage, 69 a server cannot be reached, 70 a fault of our own,
78 the daemon's configuration is invalid. A message says what happened, where, and what to do.
"""

from typing import ClassVar


class WorkersError(Exception):
    """The root of the tree. `exit_status` is what a command ends with when the error reaches it."""

    exit_status: ClassVar[int] = 70


class ConfigError(WorkersError):
    """The configuration cannot be used. Commands end with 1 for `validate`, 78 for a daemon."""

    exit_status: ClassVar[int] = 78


class DefinitionError(WorkersError):
    """A job or task was defined wrongly in code (a bad id, a bad option, an impossible signature).

    `file` and `line` say where, when that is known; `hint` how to mend it, when that is not in the message.
    """

    exit_status: ClassVar[int] = 78

    def __init__(
        self, message: str, *, file: str | None = None, line: int | None = None, hint: str = ""
    ) -> None:
        """Keep the place beside the message."""
        super().__init__(message)
        self.file = file
        self.line = line
        self.hint = hint


class ModuleLoadError(DefinitionError):
    """A job module could not be imported, or exports nothing to run. `traceback` may be empty."""

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        line: int | None = None,
        hint: str = "",
        traceback: str = "",
    ) -> None:
        """Keep the traceback beside the message."""
        super().__init__(message, file=file, line=line, hint=hint)
        self.traceback = traceback


class UsageError(WorkersError):
    """The caller asked for something that makes no sense (an option, an argument)."""

    exit_status: ClassVar[int] = 2


class UnknownTargetError(WorkersError):
    """No job or task has that id; the message names the nearest ones."""

    exit_status: ClassVar[int] = 1


class UnknownExecutionError(WorkersError):
    """No execution has that id, neither live nor archived."""

    exit_status: ClassVar[int] = 1


class PayloadError(WorkersError):
    """A payload is no JSON object, too large, or does not fit the handler's annotation."""

    exit_status: ClassVar[int] = 1


class WaitTimeoutError(WorkersError):
    """The awaited execution did not end within the time the caller gave."""

    exit_status: ClassVar[int] = 1


class IllegalMoveError(WorkersError):
    """An execution cannot go from its status to the one asked for (cancel a finished one, say)."""

    exit_status: ClassVar[int] = 1


class ListenError(WorkersError):
    """An address to listen on cannot be had (in use, not of this host). It may pass, so a service manager may try again."""

    exit_status: ClassVar[int] = 69


class EngineError(WorkersError):
    """The queue's engine failed in a way that may pass; the line retries with backoff."""

    exit_status: ClassVar[int] = 69


class EngineUnavailableError(EngineError):
    """The queue's server or file cannot be reached at all (exit 69)."""


class KeyHeldError(EngineError):
    """An idempotency key is held by a transaction that is still open. Nothing of the call that met it was enqueued."""

    def __init__(self, message: str, *, target: str = "", key: str = "") -> None:
        """Keep the `target` and its `key` beside the message."""
        super().__init__(message)
        self.target = target
        self.key = key


class EngineFormatError(EngineError):
    """The queue's file or server holds something we cannot use (not SQLite, a newer layout)."""


class SlotError(WorkersError):
    """A slot's process could not be started or broke the protocol."""


class PermissionsUnenforceableError(WorkersError):
    """A target's permissions or limits cannot be enforced on this host, and `sandbox = "require"` forbids to run it otherwise.

    `missing` says for each of them what is missing and the cure.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        """Keep what is missing beside the message."""
        super().__init__(message)
        self.missing = missing
