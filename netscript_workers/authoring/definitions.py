"""A configuration written in Python: `define_workers`, `define_jobs`. Checked by the config, not here."""

import sys
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import PurePath
from typing import Any, NamedTuple, cast

import msgspec

from netscript_workers.authoring.definition import definition_of
from netscript_workers.authoring.text import safe_repr
from netscript_workers.errors import DefinitionError


class WorkersDefinition(NamedTuple):
    """What `define_workers` was given, as plain dicts, lists and scalars, and where it stands."""

    values: dict[str, Any]
    file: str
    line: int


def define_workers(config: Mapping[str, Any] | None = None, /, **keys: Any) -> WorkersDefinition:
    """Define the whole configuration in Python: bind the result to a name in the file given as `--config`.

    Takes the keys of the config file (either spelling), as one mapping, as keywords, or both. Values are
    judged when the file is loaded, together with the environment and the command line, so that every problem
    is reported at once.
    """
    file, line = _caller()
    if config is not None and not isinstance(config, Mapping):
        raise DefinitionError(
            f"define_workers ({file}:{line}) takes a mapping, not {safe_repr(config)}", file=file, line=line
        )
    values: dict[str, Any] = dict(config or {})
    twice = sorted(values.keys() & keys.keys())
    if twice:
        raise DefinitionError(
            f"define_workers ({file}:{line}) was given {', '.join(map(repr, twice))} twice",
            file=file,
            line=line,
        )
    return WorkersDefinition(_plain({**values, **keys}), file, line)


def define_jobs(*jobs: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Define jobs for the `jobs` of `define_workers` or of a group: mappings with at least `id` and `entrypoint`.

    Takes them one by one or as one list, as in the original.
    """
    file, line = _caller()
    flat: list[Any] = []
    for one in jobs:
        if isinstance(one, (list, tuple)):
            flat.extend(cast("Sequence[Any]", one))
        else:
            flat.append(one)
    for one in flat:
        if definition_of(one) is not None:
            raise DefinitionError(
                f"define_jobs ({file}:{line}) was given a function with @job, which is found by itself in jobs_dir",
                file=file,
                line=line,
                hint='name it by its file: {"id": "process-payment", "entrypoint": "process_payment.py"}',
            )
        if not isinstance(one, Mapping):
            raise DefinitionError(
                f"define_jobs ({file}:{line}) takes mappings, not {safe_repr(one)}", file=file, line=line
            )
    return [_plain(one) for one in flat]


def _plain(value: Any) -> Any:
    """Copy `value` with the objects of this package, enums and paths turned into what a TOML file could hold."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in cast("Mapping[Any, Any]", value).items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in cast("Sequence[Any]", value)]
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, msgspec.Struct):
        plain = cast("dict[str, Any]", msgspec.to_builtins(value))
        return {key: item for key, item in plain.items() if item is not None}
    return value


def _caller() -> tuple[str, int]:
    frame = sys._getframe(2)  # noqa: SLF001  # pyright: ignore[reportPrivateUsage] - where it stands, for messages
    return frame.f_code.co_filename, frame.f_lineno
