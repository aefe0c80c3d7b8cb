"""A handler: a function, what its payload becomes, and what its decorator says of it."""

import inspect
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

from netscript_workers.authoring.definition import UNRESOLVED, definition_of
from netscript_workers.authoring.payload import USABLE, Decoder, payload_decoder
from netscript_workers.domain.target import Concept, Declaration, Source
from netscript_workers.errors import DefinitionError


class Handler(NamedTuple):
    """A job's function, ready to run; built once, used for every attempt.

    `decode` is None when the function takes the context only. `declaration` holds what the decorator says;
    `annotation` is the payload's type (None without one).
    """

    target_id: str
    function: Callable[..., Any]
    is_async: bool
    decode: Decoder | None
    annotation: Any
    declaration: Declaration


def build_handler(function: Callable[..., Any], target_id: str, *, file: str | None = None) -> Handler:
    """Make the handler of `function` under `target_id`.

    Raises `DefinitionError` for an impossible signature or annotation. `file` is where a function without
    `@job` stands.
    """
    definition = definition_of(function)
    line = definition.line if definition else _line_of(function)
    where = definition.file if definition else file
    has_payload = _takes_payload(function, target_id, where, line)
    annotation: Any = None
    decode: Decoder | None = None
    if has_payload:
        annotation = UNRESOLVED if definition is None else definition.annotation
        if annotation is UNRESOLVED:
            annotation = _resolved(function, target_id, where, line)
        if annotation is None:
            annotation = dict[str, Any]
        try:
            decode = payload_decoder(annotation)
        except TypeError as error:
            raise DefinitionError(
                f"job {target_id!r}: the payload cannot become {_name(annotation)}: {error}",
                file=where,
                line=line,
                hint=f"annotate the second parameter with {USABLE}",
            ) from None
    return Handler(
        target_id=target_id,
        function=function,
        is_async=_is_async(function),
        decode=decode,
        annotation=annotation,
        declaration=Declaration(
            id=target_id,
            concept=Concept.JOB,
            source=Source.DIRECTORY,
            file=where,
            line=line,
            **(definition.options if definition else {}),
        ),
    )


def payload_annotation(function: Callable[..., Any], local_names: dict[str, Any] | None = None) -> Any:
    """Return the annotation of the second parameter, strings resolved; None without one; raises `NameError`."""
    parameters = _positional(function)
    if len(parameters) < 2:  # noqa: PLR2004 - the context, the payload
        return None
    annotation: Any = parameters[1].annotation
    if annotation is inspect.Parameter.empty:
        return None
    names: dict[str, Any] = getattr(inspect.unwrap(function), "__globals__", {})

    def probe() -> (
        None
    ):  # only its annotation is of use: the others of the function may be for type checkers alone
        ...

    probe.__annotations__ = {"payload": annotation}
    return typing.get_type_hints(probe, names, local_names, include_extras=True)["payload"]


def _resolved(function: Callable[..., Any], target_id: str, file: str | None, line: int | None) -> Any:
    try:
        return payload_annotation(function)
    except Exception as error:
        raise DefinitionError(
            f"job {target_id!r}: the payload's annotation cannot be resolved: {error}",
            file=file,
            line=line,
            hint="import or define the type at module level, not under `if TYPE_CHECKING`",
        ) from error


def _positional(function: Callable[..., Any]) -> list[inspect.Parameter]:
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return [p for p in inspect.signature(function).parameters.values() if p.kind in kinds]


def _takes_payload(function: Callable[..., Any], target_id: str, file: str | None, line: int | None) -> bool:
    """Tell whether the handler takes a payload beside the context; refuses any other signature."""

    def refuse(reason: str) -> DefinitionError:
        return DefinitionError(
            f"job {target_id!r}: {reason}",
            file=file,
            line=line,
            hint="a handler is a plain or async function of (ctx) or (ctx, payload)",
        )

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError) as error:
        raise refuse(f"its signature cannot be read: {error}") from None
    if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
        raise refuse("a generator cannot be a handler; return the result instead of yielding it")
    positional = _positional(function)
    if any(p.kind is p.VAR_POSITIONAL for p in parameters) and len(positional) < 2:  # noqa: PLR2004 - a wrapper's *args
        wrapped = getattr(function, "__wrapped__", None)
        return wrapped is not None and _takes_payload(wrapped, target_id, file, line)
    if not positional:
        raise refuse("its function takes no context")
    for parameter in parameters:
        filled = parameter in positional[:2] or parameter.kind in (
            parameter.VAR_POSITIONAL,
            parameter.VAR_KEYWORD,
        )
        if not filled and parameter.default is parameter.empty:
            raise refuse(f"nothing would fill its parameter {parameter.name!r}")
    if _is_payload(positional[0], function):
        raise refuse(
            f"its first parameter {positional[0].name!r} is annotated as a payload, and is given the context"
        )
    return len(positional) > 1


def _is_payload(parameter: inspect.Parameter, function: Callable[..., Any]) -> bool:
    """Tell whether the annotation of the first parameter is sure to mean a payload: then it would be handed the wrong thing."""
    annotation: Any = parameter.annotation
    if isinstance(annotation, str):
        annotation = getattr(inspect.unwrap(function), "__globals__", {}).get(
            annotation, dict if annotation.startswith("dict") else Any
        )
    kind: Any = typing.get_origin(annotation) or annotation
    if (
        kind in (inspect.Parameter.empty, Any)
        or kind is object
        or not (kind is dict or isinstance(annotation, type))
    ):
        return False
    try:
        payload_decoder(annotation)
    except TypeError:
        return False
    return True


def _is_async(function: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(
        getattr(function, "__call__", None)  # noqa: B004 - an object whose __call__ is async
    )


def _line_of(function: Callable[..., Any]) -> int | None:
    code = getattr(inspect.unwrap(function), "__code__", None)
    return getattr(code, "co_firstlineno", None)


def _name(annotation: Any) -> str:
    return getattr(annotation, "__name__", None) or str(annotation)
