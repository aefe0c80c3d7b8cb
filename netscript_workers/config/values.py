"""The types of single values: strict where TOML is typed, with errors that carry our own codes.

A validator raises `PydanticCustomError` whose type is the code (`E016`) and whose context may hold a `hint`. Validation
runs with a context: `base` (the directory relative paths start from) and `environ` (where `env:NAME` looks).
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, cast
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    Strict,
    ValidationInfo,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

from netscript_workers.config.home import at_home
from netscript_workers.config.references import resolve
from netscript_workers.config.secret import Secret, SecretUrl
from netscript_workers.domain import duration, size
from netscript_workers.domain.ids import is_target_id
from netscript_workers.domain.schedule import ScheduleError, check_timezone, expand_cron

if TYPE_CHECKING:
    from collections.abc import Mapping


def problem(code: str, message: str, hint: str = "") -> PydanticCustomError:
    """Build the error that a validator raises; `message` goes on after “the key”: “`timeout` …”."""
    # pydantic reads braces in the template as placeholders, so the text itself goes in as one.
    return PydanticCustomError(code, "{text}", {"text": message, "hint": hint})  # pyright: ignore[reportArgumentType]


def _duration(value: object) -> int:
    try:
        return duration.parse_duration(value)
    except duration.DurationError as error:
        raise problem("E016", str(error)) from None


def _size(value: object) -> int:
    try:
        return size.parse_size(value)
    except size.SizeError as error:
        raise problem("E017", str(error)) from None


def _identifier(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    if not is_target_id(value):
        raise problem(
            "E018",
            f"is no id: {value!r}",
            "use small letters and digits, words joined by single hyphens, at most 128 characters: process-payment",
        )
    return value


def _cron(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    try:
        expand_cron(value)
    except ScheduleError as error:
        raise problem(
            "E021", str(error), "for example “*/5 * * * *”, “0 3 * * MON-FRI” or “@hourly”"
        ) from None
    return value


def _timezone(value: object) -> str:
    if not isinstance(value, str):
        raise problem("E012", "must be text")
    try:
        return check_timezone(value)
    except ScheduleError as error:
        raise problem("E022", str(error)) from None


def _directory(value: object, info: ValidationInfo) -> Path:
    if not isinstance(value, (str, Path)) or not str(value):
        raise problem("E012", "must be a path, as text")
    context = cast("Mapping[str, Any]", info.context or {})
    base = context.get("base")
    path = at_home(value)
    return (Path(base) if base else Path.cwd()).joinpath(path)


def _secret(value: object, info: ValidationInfo) -> Secret:
    if isinstance(value, Secret):
        return value
    if not isinstance(value, str) or not value:
        raise problem("E012", "must be text")
    return Secret(resolve(value, info))


def _url(schemes: tuple[str, ...], example: str) -> Any:
    def parse(value: object, info: ValidationInfo) -> SecretUrl:
        if not isinstance(value, (str, SecretUrl)) or not value:
            raise problem("E012", "must be text")
        url = value if isinstance(value, SecretUrl) else SecretUrl(resolve(value, info))
        if url.scheme not in schemes or ":" not in url.reveal():
            raise problem("E019", "is no URL of this server", f"write it as {example}")
        if not url.splits:
            hint = f"write it as {example}, with / ? # @ in a password as %2F %3F %23 %40"
            raise problem("E019", "is a URL whose host and port cannot be told apart", hint)
        return url

    return PlainValidator(parse, json_schema_input_type=str)


_TEXT_SCHEMA = WithJsonSchema({"type": "string"})
_MASKED = PlainSerializer(str, return_type=str)

Text = Annotated[str, Strict()]
Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
Count = Annotated[int, Strict(), Field(ge=1)]
Natural = Annotated[int, Strict(), Field(ge=0)]
Priority = Annotated[int, Strict(), Field(ge=0, le=100)]
Identifier = Annotated[
    str,
    BeforeValidator(_identifier),
    WithJsonSchema({"type": "string", "pattern": "^[a-z0-9]+(-[a-z0-9]+)*$", "maxLength": 128}),
]
Duration = Annotated[
    int,
    BeforeValidator(_duration),
    Field(ge=0),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "pattern": duration.PATTERN}]}
    ),
]
PositiveDuration = Annotated[
    int,
    BeforeValidator(_duration),
    Field(ge=1),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": duration.PATTERN}]}
    ),
]
ByteSize = Annotated[
    int,
    BeforeValidator(_size),
    Field(ge=1),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": size.PATTERN}]}
    ),
]
Cron = Annotated[str, BeforeValidator(_cron), _TEXT_SCHEMA]
Timezone = Annotated[str, BeforeValidator(_timezone), _TEXT_SCHEMA]
Directory = Annotated[Path, PlainValidator(_directory, json_schema_input_type=str), PlainSerializer(str)]
SecretText = Annotated[Secret, PlainValidator(_secret, json_schema_input_type=str), _MASKED]
RedisUrl = Annotated[SecretUrl, _url(("redis", "rediss", "unix"), "redis://host:6379/0"), _MASKED]
DatabaseUrl = Annotated[
    SecretUrl, _url(("postgres", "postgresql"), "postgresql://user@host:5432/name"), _MASKED
]
AMQP_PARAMETERS: Final = {
    "queue_type": ("classic|quorum", "classic or quorum"),
    "heartbeat": ("[1-9]|[1-5][0-9]|60", "1 to 60, in seconds"),
    "cafile": (".+", "the path of a file with certificates"),
    "certfile": (".+", "the path of a certificate"),
    "keyfile": (".+", "the path of a key"),
}
"""What an AMQP URL may ask for after its `?`: the form of each value, and the same in words."""


def _amqp_parameters(url: SecretUrl) -> SecretUrl:
    query = urlsplit(url.reveal()).query
    if "@" in query:  # a password with an unescaped question mark: name nothing of it
        raise problem("E019", "has parameters with an @", "write / ? # @ in a password as %2F %3F %23 %40")
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in AMQP_PARAMETERS:
            known = ", ".join(AMQP_PARAMETERS)
            raise problem("E019", f"has the unknown parameter “{name}”", f"known are {known}")
        form, words = AMQP_PARAMETERS[name]
        if re.fullmatch(form, value) is None:
            raise problem("E019", f"has a {name} that does not fit", f"it is {words}")
        if name.endswith("file") and url.scheme != "amqps":
            raise problem("E019", f"has a {name}, which only amqps:// uses", "write amqps:// instead")
    return url


AmqpUrl = Annotated[
    SecretUrl,
    _url(("amqp", "amqps"), "amqp://user@host:5672/"),
    AfterValidator(_amqp_parameters),
    _MASKED,
]


def queue_file(value: object, info: ValidationInfo) -> object:
    """Turn what `deno_kv_path` or `DENO_KV_URL` says into a path: a path, a `file:` URL or `env:NAME`.

    A remote Deno KV (http, https) is refused: the embedded queue is a file on this host.
    """
    if not isinstance(value, str):
        return value
    text = resolve(value, info) if value.startswith("env:") else value
    scheme, separator, rest = text.partition("://")
    if text.startswith("file:"):
        path = unquote(rest if separator else text.removeprefix("file:"))
        return path.removeprefix("localhost") if path.startswith("localhost/") else path
    if separator and scheme.isalpha():
        raise problem(
            "E019",
            f"is a {scheme} URL; the deno-kv queue is a file on this host, remote Deno KV is not served",
            "give the path of a file, such as ./workers/queue.sqlite3",
        )
    return text
