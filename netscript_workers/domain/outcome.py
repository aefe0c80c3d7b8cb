"""What happened to one attempt, as data. A runner reports it; `settlement.decide` says what it means."""

from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """How an attempt ended."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed-out"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    CRASHED = "crashed"


class Cause(StrEnum):
    """Why an attempt did not succeed; kept with the attempt (SPEC section 11)."""

    FAILURE = "failure"
    EXCEPTION = "exception"
    TIMEOUT = "timeout"
    CANCELLED = "cancelled"
    CRASH = "crash"
    LOST_WORKER = "lost-worker"
    PERMISSION_DENIED = "permission-denied"
    SHUTDOWN = "shutdown"


class Usage(msgspec.Struct, frozen=True):
    """What an attempt used: peak resident memory in bytes and processor time in ms; None where the mode cannot tell."""

    peak_memory: int | None = None
    cpu_ms: int | None = None


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt's end.

    `result` is JSON as bytes (of a success, or the data of a failure). `retry` false means: for good, no further attempt.
    `exit_code` is an exit status, or minus the number of the signal that ended the process.
    """

    kind: Kind
    cause: Cause | None = None
    error: str | None = None
    result: bytes | None = None
    retry: bool = True
    exit_code: int | None = None
    usage: Usage | None = None


def succeeded(result: bytes | None, usage: Usage | None = None) -> Outcome:
    """Build the outcome of a run that returned."""
    return Outcome(kind=Kind.SUCCEEDED, result=result, usage=usage)


def failed(
    error: str,
    cause: Cause = Cause.FAILURE,
    *,
    result: bytes | None = None,
    retry: bool = True,
    usage: Usage | None = None,
) -> Outcome:
    """Build the outcome of a run that failed by itself (a failure, an exception, a refused payload)."""
    return Outcome(kind=Kind.FAILED, cause=cause, error=error, result=result, retry=retry, usage=usage)


def crashed(error: str, exit_code: int | None, usage: Usage | None = None) -> Outcome:
    """Build the outcome of a slot that died under its run; `exit_code` is minus the signal's number for a signal."""
    return Outcome(kind=Kind.CRASHED, cause=Cause.CRASH, error=error, exit_code=exit_code, usage=usage)


def timed_out(error: str, usage: Usage | None = None) -> Outcome:
    """Build the outcome of a run that was ended at its deadline."""
    return Outcome(kind=Kind.TIMED_OUT, cause=Cause.TIMEOUT, error=error, usage=usage)


def cancelled(error: str, usage: Usage | None = None) -> Outcome:
    """Build the outcome of a run that somebody cancelled."""
    return Outcome(kind=Kind.CANCELLED, cause=Cause.CANCELLED, error=error, usage=usage)


def interrupted(error: str, usage: Usage | None = None) -> Outcome:
    """Build the outcome of a run that a shutdown had to interrupt; it uses up no attempt."""
    return Outcome(kind=Kind.INTERRUPTED, cause=Cause.SHUTDOWN, error=error, usage=usage)


def lost(error: str) -> Outcome:
    """Build the outcome of a run whose worker fell silent beyond its lease; it uses up an attempt."""
    return Outcome(kind=Kind.CRASHED, cause=Cause.LOST_WORKER, error=error)
