"""From a payload's JSON to what the handler's second parameter asks for, or a refusal that names each field.

msgspec does the work. pydantic is used only for a type that is pydantic's, so a slot that needs none never
loads it.
"""

import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from netscript_workers.authoring.context import UndecodablePayloadError
from netscript_workers.authoring.text import safe_str
from netscript_workers.errors import PayloadError

Decoder = Callable[[bytes], Any]

# What a JSON object can never become.
_NO_OBJECT: Final = frozenset(
    {int, str, float, bool, bytes, list, tuple, set, frozenset, bytearray, type(None), complex}
)
_MAX_REASONS: Final = 50
USABLE: Final = "a pydantic model, dataclass, TypedDict, msgspec Struct or dict"


class PayloadRefusedError(PayloadError):
    """A payload that does not fit the handler's annotation; another attempt would meet the same one."""


def payload_decoder(annotation: Any) -> Decoder:
    """Build the decoder for `annotation`; `TypeError` says why when a JSON object cannot become that.

    The decoder raises `PayloadRefusedError` naming every field that does not fit.
    """
    if annotation is Any or annotation is object:
        annotation = dict[str, Any]
    origin = typing.get_origin(annotation) or annotation
    if origin in _NO_OBJECT:
        raise TypeError("a payload is a JSON object, which never becomes that")
    validator = _pydantic_validator(annotation)
    if validator is not None:
        return _pydantic_decoder(annotation, validator)
    return _msgspec_decoder(annotation)


def _pydantic_validator(annotation: Any) -> Any:
    # Only a class of pydantic's own has these (models, pydantic dataclasses); asking does not import
    # pydantic.
    if isinstance(annotation, type) and hasattr(annotation, "__pydantic_validator__"):
        return annotation.__pydantic_validator__  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]
    return None


def _pydantic_decoder(annotation: Any, validator: Any) -> Decoder:
    from pydantic_core import ValidationError

    validate = validator.validate_json

    def decode(raw: bytes) -> Any:
        _check_object(raw)
        try:
            return validate(raw)
        except ValidationError as error:
            reasons = [
                (".".join(str(part) for part in found["loc"]), found["msg"])
                for found in error.errors(include_url=False, include_context=False, include_input=False)
            ]
            raise refusal(annotation, reasons) from None

    return decode


def _msgspec_decoder(annotation: Any) -> Decoder:
    try:
        decoder = msgspec.json.Decoder(annotation, dec_hook=_convert_foreign)
    except (TypeError, ValueError, NameError) as error:
        fallback = _type_adapter(annotation)
        if fallback is None:
            raise TypeError(str(error)) from None
        return _pydantic_decoder(annotation, fallback)
    if not _takes_objects(annotation):
        raise TypeError(f"use {USABLE}")
    decode_json = decoder.decode

    def decode(raw: bytes) -> Any:
        _check_object(raw)
        try:
            return decode_json(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, TypeError, ValueError) as error:
            raise _explained(annotation, raw, error) from None

    return decode


def _check_object(raw: bytes) -> None:
    """Refuse what is no object before a type that would take it too (a union, a root model) does."""
    if raw[:1] != b"{" and raw.lstrip(b" \t\r\n")[:1] != b"{":
        raise UndecodablePayloadError("the payload is no JSON object")


def _takes_objects(annotation: Any) -> bool:
    """Tell whether msgspec knows how a JSON object becomes `annotation` (an empty one is enough to ask)."""
    if not isinstance(annotation, type):
        return True
    from msgspec import inspect

    return not isinstance(inspect.type_info(annotation), inspect.CustomType)


def _type_adapter(annotation: Any) -> Any:
    """Return pydantic's validator for what msgspec cannot do (a union of models), if pydantic is loaded."""
    import sys

    if "pydantic" not in sys.modules:
        return None
    from pydantic import TypeAdapter
    from pydantic.errors import PydanticUserError

    try:
        return TypeAdapter(annotation).validator
    except PydanticUserError:
        return None


def _convert_foreign(kind: type, value: Any) -> Any:
    validator = _pydantic_validator(kind)
    if validator is not None:
        return validator.validate_python(value)
    raise NotImplementedError(f"JSON has no form for {kind.__qualname__}")


def _explained(annotation: Any, raw: bytes, error: Exception) -> PayloadError:
    try:
        value = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as broken:
        return UndecodablePayloadError(f"the payload is no JSON object: {broken}")
    if not isinstance(value, dict):
        return UndecodablePayloadError(f"the payload is no JSON object: it is {type(value).__name__}")
    reasons = list(_misfits(annotation, value, ""))
    return refusal(annotation, reasons or [_place_and_message(error)])


def refusal(annotation: Any, reasons: list[tuple[str, str]]) -> PayloadRefusedError:
    """Build the refusal: one line per field, with its path."""
    name = getattr(annotation, "__name__", None) or str(annotation)
    shown = [f"{path}: {reason}" if path else reason for path, reason in reasons[:_MAX_REASONS]]
    if len(reasons) > _MAX_REASONS:
        shown.append(f"and {len(reasons) - _MAX_REASONS} more")
    return PayloadRefusedError(f"the payload does not fit {name}: " + "; ".join(shown))


def _misfits(kind: Any, value: Any, path: str) -> Iterator[tuple[str, str]]:
    """Yield (path, reason) for each part of `value` that does not fit; msgspec alone stops at the first."""
    fields = _fields_of(kind)
    if fields is not None and isinstance(value, dict):
        yield from _misfits_in_fields(kind, fields, cast("dict[str, Any]", value), path)
        return
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is list and isinstance(value, list):
        for index, item in enumerate(cast("list[Any]", value)):
            yield from _misfits(arguments[0], item, f"{path}[{index}]")
        return
    if origin is dict and isinstance(value, dict) and arguments[0] is str:
        for key, item in cast("dict[str, Any]", value).items():
            yield from _misfits(arguments[1], item, _join(path, key))
        return
    try:
        msgspec.convert(value, kind, dec_hook=_convert_foreign)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        place, message = _place_and_message(error)
        yield _join(path, place) if place and not place.startswith("[") else path + place, message


def _misfits_in_fields(
    kind: Any, fields: Mapping[str, tuple[Any, bool]], value: dict[str, Any], path: str
) -> Iterator[tuple[str, str]]:
    found = False
    for name, (field_kind, required) in fields.items():
        if name not in value:
            if required:
                found = True
                yield _join(path, name), "required, but missing"
            continue
        for misfit in _misfits(field_kind, value[name], _join(path, name)):
            found = True
            yield misfit
    if not found:  # each field fits by itself: what is left is the whole (unknown fields, __post_init__)
        try:
            msgspec.convert(value, kind, dec_hook=_convert_foreign)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            yield path, _place_and_message(error)[1]


def _fields_of(kind: Any) -> dict[str, tuple[Any, bool]] | None:
    """Return {name in JSON: (type, required)} of a Struct, dataclass or TypedDict; None for anything else."""
    if not isinstance(kind, type):
        return None
    kind = cast("type[Any]", kind)
    if issubclass(kind, msgspec.Struct):
        if kind.__struct_config__.array_like or kind.__struct_config__.tag is not None:
            return None
        return {f.encode_name: (f.type, f.required) for f in msgspec.structs.fields(kind)}
    try:
        if dataclasses.is_dataclass(kind):
            hints = typing.get_type_hints(kind, include_extras=True)
            return {
                f.name: (
                    hints[f.name],
                    f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING,
                )
                for f in dataclasses.fields(kind)
                if f.init
            }
        if typing.is_typeddict(kind):
            required: frozenset[str] = kind.__required_keys__
            return {name: (hint, name in required) for name, hint in typing.get_type_hints(kind).items()}
    except NameError:
        return None
    return None


def _place_and_message(error: Exception) -> tuple[str, str]:
    text = safe_str(error)
    message, separator, place = text.rpartition(" - at `$")
    if not separator:
        return "", text
    return place.rstrip("`").removeprefix("."), message


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
