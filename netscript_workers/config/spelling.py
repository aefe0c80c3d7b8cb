"""Both spellings of every key: snake_case and the original's camelCase become one tree with the model's own keys."""

import types
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from functools import cache
from typing import Annotated, Any, NamedTuple, Union, cast, get_args, get_origin

from pydantic import BaseModel
from pydantic.alias_generators import to_camel

from netscript_workers.config.definitions import TaskTable
from netscript_workers.config.place import KeyPath, Place, PlacedDict, problem_at
from netscript_workers.domain.problem import Problem

Locate = Callable[[KeyPath], Place]


class KeyShape(NamedTuple):
    """What stands under a key: a table, a list of tables, or a value (`model` None)."""

    key: str
    model: type[BaseModel] | None
    is_list: bool


class Spelled(NamedTuple):
    """A tree in the model's spelling, what is wrong with its keys, and where each known key stands."""

    tree: PlacedDict
    problems: list[Problem]
    places: dict[KeyPath, Place]


def respell(model: type[BaseModel], raw: Mapping[str, Any], locate: Locate) -> Spelled:
    """Return `raw` with the keys of `model`; unknown keys and doubled ones are reported and left out.

    `locate` finds the position of a key path as written. Values are not looked at.
    """
    spelled = Spelled(PlacedDict(locate(())), [], {})
    _table(model, raw, (), spelled.tree, _Walk(locate, spelled))
    return spelled


class _Walk(NamedTuple):
    locate: Locate
    spelled: Spelled

    def report(self, code: str, message: str, hint: str, path: KeyPath, written: KeyPath) -> None:
        place = self.locate(written)._replace(path=path)
        self.spelled.problems.append(problem_at(code, place, message, hint))


def _table(
    model: type[BaseModel], raw: Mapping[str, Any], written: KeyPath, target: PlacedDict, walk: _Walk
) -> None:
    shapes = spellings(model)
    taken: dict[str, str] = {}
    for name, value in raw.items():
        shape = shapes.get(name)
        here = (*written, name)
        if shape is None:
            message = f"unknown key “{name}”"
            walk.report("E010", message, _suggest(model, name), (*target.place.path, name), here)
            continue
        path = (*target.place.path, shape.key)
        if shape.key in taken:
            first = walk.locate((*written, taken[shape.key]))
            where = f" (line {first.line})" if first.line else ""
            message = f"“{taken[shape.key]}”{where} and “{name}” are one key in two spellings"
            walk.report("E011", message, f"keep one of them, best “{shape.key}”", path, here)
            continue
        taken[shape.key] = name
        walk.spelled.places[path] = walk.locate(here)._replace(path=path)
        target[shape.key] = _value(shape, value, here, path, walk)


def _value(shape: KeyShape, value: object, written: KeyPath, path: KeyPath, walk: _Walk) -> Any:
    if shape.model is None:
        return value
    if shape.is_list and isinstance(value, (list, tuple)):
        items = cast("list[object]", value)
        element = KeyShape(shape.key, shape.model, is_list=False)
        return [_value(element, item, (*written, i), (*path, i), walk) for i, item in enumerate(items)]
    if isinstance(value, Mapping) and not shape.is_list:
        place = walk.locate(written)._replace(path=path)
        walk.spelled.places[path] = place
        table = PlacedDict(place)
        _table(shape.model, cast("Mapping[str, Any]", value), written, table, walk)
        return table
    return cast("Any", value)


@cache
def spellings(model: type[BaseModel]) -> dict[str, KeyShape]:
    """Return every accepted spelling of every key of `model`."""
    shapes: dict[str, KeyShape] = {}
    for name, field in model.model_fields.items():
        key = field.alias or name
        nested, is_list = _nested(field.annotation)
        shape = KeyShape(key, nested, is_list)
        shapes[key] = shapes[to_camel(key)] = shape
        if model is TaskTable and key == "type":
            shapes["runtime"] = shape  # the original's word for it
    return shapes


def _nested(annotation: object) -> tuple[type[BaseModel] | None, bool]:
    origin = get_origin(annotation)
    if origin is Annotated:
        return _nested(get_args(annotation)[0])
    if origin is tuple:
        return _nested(get_args(annotation)[0])[0], True
    if origin in (Union, types.UnionType):
        found = (_nested(argument) for argument in get_args(annotation))
        return next((pair for pair in found if pair[0] is not None), (None, False))
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation, False
    return None, False


def nearest(word: str, known: Mapping[str, object] | list[str]) -> str | None:
    """Return the known word most like `word`, whatever its spelling, or None."""
    flat = {_flat(name): name for name in known}
    match = get_close_matches(_flat(word), list(flat), n=1, cutoff=0.6)
    return flat[match[0]] if match else None


def _flat(word: str) -> str:
    return word.replace("_", "").replace("-", "").lower()


def _suggest(model: type[BaseModel], name: str) -> str:
    shapes = spellings(model)
    for shape in shapes.values():
        if shape.model is None or shape.is_list:
            continue
        for inner in spellings(shape.model).values():
            if _flat(name) in (_flat(inner.key), _flat(shape.key + inner.key)):
                return f"did you mean “{inner.key}” in the table [{shape.key}]?"
    match = nearest(name, {shape.key: shape for shape in shapes.values()})
    if match:
        return f"did you mean “{match}”?"
    return f"known here: {', '.join(sorted({shape.key for shape in shapes.values()}))}"
