"""What PostgreSQL's and asyncpg's errors mean for whoever uses the queue, and what to do about each."""

from typing import Final

import asyncpg
import msgspec

from netscript_workers.errors import (
    EngineError,
    EngineFormatError,
    EngineUnavailableError,
    KeyHeldError,
    UsageError,
)

# Classes of SQLSTATE that pass by themselves or once somebody acts: the line tries again.
_PASSING: Final = frozenset({"08", "25", "26", "40", "53", "55", "57", "58", "XX"})
_NOT_LET_IN: Final = frozenset({"28", "3D"})
_MISSING: Final = frozenset({"3F000", "42P01", "42883", "42703"})
_NOT_ALLOWED: Final = "42501"
_READ_ONLY: Final = "25006"
_FULL: Final = "53100"
_CROWDED: Final = "53300"
_LOCKED: Final = "55P03"
_WRONG_ISOLATION: Final = "NS001"  # our own, of `netscript.enqueue`
# After these the connection is of no use any more: the next one may reach another server.
_ENDING: Final = frozenset({_READ_ONLY, "25P03", "26000", "57P01", "57P02", "57P03"})

DRIVER_ERRORS: Final = (
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    OSError,
    EOFError,
)


def ends_connection(error: BaseException) -> bool:
    """Tell whether the connection on which `error` came must be thrown away."""
    if isinstance(error, asyncpg.PostgresError):
        code = _code(error)
        return code in _ENDING or code.startswith("08")
    return True


def explained(error: BaseException, shown: str) -> Exception:
    """Return our error for the driver's, with what to do; `shown` is the masked URL.

    An error that no waiting mends (a fault of our own in a statement) stays what it is.
    """
    if isinstance(error, TimeoutError):
        return EngineError(
            f"PostgreSQL at {shown} did not answer in time (paused, overloaded, or the network is cut)"
        )
    if isinstance(error, asyncpg.PostgresError):
        return _explained_state(error, shown)
    if isinstance(error, DRIVER_ERRORS):
        return EngineError(f"the connection to PostgreSQL at {shown} was lost: {_words(error)}")
    return error if isinstance(error, Exception) else EngineError(repr(error))


def _explained_state(error: asyncpg.PostgresError, shown: str) -> Exception:
    code, words = _code(error), _words(error)
    if code == _READ_ONLY:
        return EngineError(f"PostgreSQL at {shown} takes no writes (a standby, or failing over): {words}")
    if code == _FULL:
        return EngineError(
            f"no space is left on the disk of PostgreSQL at {shown}: {words}. Free some; nothing is lost."
        )
    if code == _CROWDED:
        return EngineError(
            f"PostgreSQL at {shown} has no connection left: {words}. Raise max_connections, or use PgBouncer."
        )
    if code in _MISSING:
        return EngineFormatError(
            f"the tables in PostgreSQL at {shown} are not those of this version: {words}. Run: workers db upgrade"
        )
    if code == _NOT_ALLOWED or code[:2] in _NOT_LET_IN:
        return unreachable(error, shown)
    detail = getattr(error, "detail", None)
    if code == _LOCKED and detail:  # only `netscript.enqueue` says one with this
        target, key = msgspec.json.decode(detail, type=tuple[str, str])
        return KeyHeldError(
            f"{words}, in PostgreSQL at {shown}. Let that transaction end (enqueue late in it), and try again.",
            target=target,
            key=key,
        )
    if code[:2] in _PASSING:
        return EngineError(f"PostgreSQL at {shown} failed: {words}")
    return error


def refused(error: Exception) -> UsageError | None:
    """Return our error where a statement in a caller's own transaction was refused for what that transaction is; else None.

    `error` is asyncpg's, psycopg's or SQLAlchemy's.
    """
    if getattr(getattr(error, "orig", error), "sqlstate", None) != _WRONG_ISOLATION:
        return None
    return UsageError(
        f"connection=: {_words(getattr(error, 'orig', error))}. Enqueue without a key, or in one."
    )


def unreachable(error: BaseException, shown: str) -> EngineUnavailableError:
    """Return the error of an engine that could not be opened."""
    code = _code(error) if isinstance(error, asyncpg.PostgresError) else ""
    if code[:2] == "28":
        what, hint = "does not let this user in", "Check user and password in database_url, and pg_hba.conf."
    elif code[:2] == "3D":
        what, hint = "has no such database", "Make it (createdb), or correct database_url."
    elif code == _NOT_ALLOWED:
        what = "does not allow this user what the queue needs"
        hint = (
            "Let it create the schema netscript (GRANT CREATE ON DATABASE …), or run `workers db upgrade` as one who may "
            "and grant it USAGE on the schema and its sequence, EXECUTE on its functions and all on its tables."
        )
    elif isinstance(error, TimeoutError):
        what, hint = "did not answer in time", "Is it running, and does the network lead there?"
    else:
        what = "cannot be reached"
        hint = "Is it running? Check host, port and database in database_url (DATABASE_URL)."
    return EngineUnavailableError(f"PostgreSQL at {shown} {what}: {_words(error)}. {hint}")


def _code(error: asyncpg.PostgresError) -> str:
    return getattr(error, "sqlstate", None) or ""


def _words(error: BaseException) -> str:
    text = str(error).strip().rstrip(".")
    return text.splitlines()[0] if text else type(error).__name__
