"""What a handler may hand back: any JSON value, `success(data)`, `failure(error)`; or `raise Abort("…")`."""

from typing import Any


class Abort(Exception):  # noqa: N818 - the contract's name
    """Raise it in a handler to fail the execution for good, whatever `max_retries` says."""


class Success:
    """A run that went well, with its result."""

    __slots__ = ("data",)

    def __init__(self, data: Any = None) -> None:
        self.data = data

    def __repr__(self) -> str:
        return f"success({self.data!r})"


class Failure:
    """A run that failed without an exception. `retry` False: no further attempt."""

    __slots__ = ("data", "error", "retry")

    def __init__(self, error: str, data: Any = None, *, retry: bool = True) -> None:
        self.error = error
        self.data = data
        self.retry = retry

    def __repr__(self) -> str:
        return f"failure({self.error!r}, {self.data!r}, retry={self.retry!r})"


def success(data: Any = None) -> Success:
    """Say that the run went well; `data` becomes the result (its JSON)."""
    return Success(data)


def failure(error: str | BaseException, data: Any = None, retry: bool = True) -> Failure:  # noqa: FBT001, FBT002 - SPEC's signature
    """Say that the run failed with `error`; `data` is kept as the result. `retry` False: for good."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return Failure(text, data, retry=retry)


def create_success_result(data: Any = None) -> Success:
    """Do what `success` does, under the name of the original."""
    return success(data)


def create_failure_result(error: str | BaseException, data: Any = None, retry: bool = True) -> Failure:  # noqa: FBT001, FBT002 - as `failure`
    """Do what `failure` does, under the name of the original."""
    return failure(error, data, retry)
