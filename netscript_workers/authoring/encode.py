"""From a returned value to JSON, or a complaint that names the type and path of what has no JSON form."""

import dataclasses
import math
from collections.abc import Iterator
from typing import Any, cast

import msgspec

from netscript_workers.authoring.text import safe_repr, safe_str


class UnencodableResultError(TypeError):
    """A value without a JSON form."""


def encode_result(value: Any) -> bytes:
    """Return `value` as JSON; `UnencodableResultError` names the path and type of the part that has none.

    Beside JSON's own types: dataclasses, Structs, pydantic models, datetimes, UUIDs, Decimals, enums, bytes
    (base64) and sets. NaN and infinity have no JSON form.
    """
    if value is None:
        return b"null"
    try:
        encoded = _encode(value)
    except Exception as error:  # noqa: BLE001 - hooks of user classes may raise anything
        raise UnencodableResultError(_complaint(value, error)) from None
    # msgspec writes NaN as null, which would lose it silently; only a result with a null can have held one.
    if b"null" in encoded:
        for path, kind in _not_finite(value, "$", ()):
            raise UnencodableResultError(f"{path}: {kind} has no JSON form")
    return encoded


def _hook(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json")
    serializer: Any = getattr(cast("Any", type(value)), "__pydantic_serializer__", None)
    if serializer is not None:
        return serializer.to_python(value, mode="json")
    raise NotImplementedError(f"object of type {_type_name(value)}")


_encode = msgspec.json.Encoder(enc_hook=_hook).encode


def _complaint(value: Any, error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "$: refers to itself, or is nested too deeply"
    for path, part, reason in _unencodable(value, "$", ()):
        text = reason or f"object of type {_type_name(part)} has no JSON form"
        return f"{path}: {text}"
    return f"$: {safe_str(error)}"


def _unencodable(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any, str]]:
    """Yield (path, part, reason) of the innermost parts that cannot be encoded."""
    try:
        _encode(value)
    except Exception as error:  # noqa: BLE001 - as above
        reason = "" if isinstance(error, (TypeError, NotImplementedError)) else safe_str(error)
    else:
        return
    if id(value) in above:
        yield path, value, "refers to itself"
        return
    found = False
    for inner_path, part in _parts(value, path):
        for misfit in _unencodable(part, inner_path, (*above, id(value))):
            found = True
            yield misfit
    if not found:
        keys = _bad_keys(value)
        yield path, value, keys or reason


def _bad_keys(value: Any) -> str:
    if isinstance(value, dict):
        for key in cast("dict[Any, Any]", value):
            try:
                _encode({key: None})
            except Exception:  # noqa: BLE001 - as above
                return f"the key {safe_repr(key)} of type {_type_name(key)} has no JSON form"
    return ""


def _not_finite(value: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    if isinstance(value, float):
        if not math.isfinite(value):
            yield path, f"float {value!r}"
        return
    for inner_path, part in _parts(value, path):
        yield from _not_finite(part, inner_path, above)


def _parts(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, part in cast("dict[Any, Any]", value).items():
            yield f"{path}.{safe_str(key)}", part
    elif isinstance(value, (list, tuple, set, frozenset)):
        for index, part in enumerate(cast("list[Any]", value)):
            yield f"{path}[{index}]", part
    elif isinstance(value, msgspec.Struct):
        for name in value.__struct_fields__:
            yield f"{path}.{name}", getattr(value, name, None)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield f"{path}.{field.name}", getattr(value, field.name, None)


def _type_name(value: object) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ in ("builtins", "__main__")
        else f"{kind.__module__}.{kind.__qualname__}"
    )
