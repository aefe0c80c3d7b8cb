"""`@job`: makes a function a job by leaving a definition on it. The function itself stays what it was."""

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, TypeVar, Unpack

from netscript_workers.authoring.definition import ATTRIBUTE, UNRESOLVED, JobDefinition
from netscript_workers.authoring.handler import payload_annotation
from netscript_workers.authoring.options import JOB_CHECKS, JobOptions, checked_id, checked_options
from netscript_workers.authoring.text import safe_repr
from netscript_workers.errors import DefinitionError

_Function = TypeVar("_Function", bound=Callable[..., Any])


def job(id: str, **options: Unpack[JobOptions]) -> Callable[[_Function], _Function]:
    """Make a function of `(ctx)` or `(ctx, payload)`, plain or async, the job `id`, with a config job's options.

    Returns the function itself: it can be called and tested as before. Raises `DefinitionError` naming every
    bad option.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - where the job stands, for messages
    file, line = frame.f_code.co_filename, frame.f_lineno
    if callable(id):
        raise DefinitionError(
            f'@job ({file}:{line}) needs an id: @job("process-payment")', file=file, line=line
        )
    checked = checked_id(id, "@job", file, line)
    values = checked_options(options, JOB_CHECKS, f"@job({checked!r})", file, line)

    def mark(function: _Function) -> _Function:
        return _marked(function, checked, values, frame=sys._getframe(1), line=line)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as above

    return mark


def define_job_handler(
    function: _Function,
    *,
    id: str | None = None,
    **options: Unpack[JobOptions],
) -> _Function:
    """Make `function` a job, as `@job` does; returns it.

    Without an id the file's stem in kebab-case names the job.
    """
    frame = sys._getframe(1)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - as above
    file, line = frame.f_code.co_filename, frame.f_lineno
    checked = None if id is None else checked_id(id, "define_job_handler", file, line)
    values = checked_options(options, JOB_CHECKS, "define_job_handler", file, line)
    return _marked(function, checked, values, frame=frame, line=line)


def _marked(
    function: _Function, target_id: str | None, values: dict[str, Any], *, frame: FrameType, line: int
) -> _Function:
    file = frame.f_code.co_filename
    if not callable(function):
        raise DefinitionError(
            f"@job ({file}:{line}) decorates a function, not {safe_repr(function)}", file=file, line=line
        )
    annotation = _annotation_here(function, frame.f_locals)
    try:
        setattr(function, ATTRIBUTE, JobDefinition(target_id, values, file, line, annotation))
    except (AttributeError, TypeError) as error:
        raise DefinitionError(
            f"@job ({file}:{line}) cannot mark {safe_repr(function)}: {error}",
            file=file,
            line=line,
            hint="decorate a plain function, defined with def or async def",
        ) from None
    return function


def _annotation_here(function: Callable[..., Any], local_names: dict[str, Any]) -> Any:
    try:
        return payload_annotation(function, local_names)
    except Exception:  # noqa: BLE001 - whatever is wrong here is looked at again, and reported, when the job is loaded
        return UNRESOLVED
