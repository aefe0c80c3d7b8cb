"""Messages: what a program that does not know our queue asks for, as plain JSON values.

`{jobId | taskId, payload, topic?, priority?, delay?, correlationId?, idempotencyKey?, traceparent?, tracestate?}`, or the same
within NetScript's envelope (`__envelope_version` 1). Members not named here are not read: NetScript adds some of its own.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import msgspec

from netscript_workers.domain.duration import parse_duration
from netscript_workers.domain.execution import NewExecution, TriggeredBy
from netscript_workers.domain.ids import is_target_id
from netscript_workers.domain.size import format_size
from netscript_workers.domain.target import DEFAULT_PRIORITY, DEFAULT_TOPIC, MAX_PRIORITY, Concept, Target

MAX_TEXT: Final = 512
"""How many characters a correlation id, an idempotency key or a trace state may have."""

TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-.*)?\Z")

_ENVELOPE: Final = "__envelope_version"
_MAX_ID: Final = 128
_SHOWN: Final = 80
_KINDS: Final[Mapping[type, str]] = {
    dict: "an object",
    list: "an array",
    str: "text",
    bool: "a boolean",
    int: "a number",
    float: "a number",
}


class NoJobError(ValueError):
    """A message asks for nothing that can be run; the text says why, naming the member."""


class Terms(msgspec.Struct, kw_only=True):
    """What a message is read with: `find` gives the target of an id (None: unknown here), for what it leaves unsaid.

    `max_payload_bytes` may be exchanged while an engine reads with it, from any thread.
    """

    find: Callable[[str], Target | None] = lambda _target_id: None
    max_payload_bytes: int = 1 << 20


NO_TERMS: Final = Terms()
"""Knows no target."""


def to_execution(value: Any, new_id: str, delay_ms: int, terms: Terms) -> NewExecution:
    """Return the execution that the message `value` asks for; raises `NoJobError`.

    A target that is unknown here is taken as named: whoever claims it says so. `delay_ms` is added to the message's own delay.
    """
    headers: Mapping[str, Any] = {}
    if isinstance(value, dict) and _ENVELOPE in value:
        value, headers = _opened(cast("dict[str, Any]", value))
    if not isinstance(value, dict):
        raise NoJobError(f"the message is {_kind(value)}, not an object with jobId or taskId")
    message = cast("dict[str, Any]", value)
    concept, target_id = _target(message)
    target = terms.find(target_id)
    topic = _topic(message)
    traceparent = _trace(message, headers, "traceparent")
    if traceparent is not None and TRACEPARENT.match(traceparent) is None:
        traceparent = None  # as W3C asks: what cannot be understood is dropped, and the work is not
    return NewExecution(
        id=new_id,
        concept=target.concept if target else concept,
        target=target_id,
        topic=topic or (target.topic if target else DEFAULT_TOPIC),
        payload=_payload(message, terms),
        priority=_priority(message, target.priority if target else DEFAULT_PRIORITY),
        delay_ms=delay_ms + _delay(message),
        max_attempts=target.max_attempts if target else 1,
        triggered_by=TriggeredBy.QUEUE,
        idempotency_key=_text(message, "idempotencyKey"),
        correlation_id=_text(message, "correlationId"),
        traceparent=traceparent,
        tracestate=_trace(message, headers, "tracestate") if traceparent else None,
    )


def _opened(envelope: dict[str, Any]) -> tuple[Any, Mapping[str, Any]]:
    version = envelope[_ENVELOPE]
    if version != 1 or isinstance(version, bool):
        raise NoJobError(f"{_ENVELOPE} is {_shown(version)}; this version knows 1")
    headers = envelope.get("headers")
    if headers is not None and not isinstance(headers, dict):
        raise NoJobError(f"headers is {_kind(headers)}, not an object")
    return envelope.get("payload"), cast("dict[str, Any]", headers or {})


def _target(message: dict[str, Any]) -> tuple[Concept, str]:
    job, task = message.get("jobId"), message.get("taskId")
    if (job is None) is (task is None):
        found = "both jobId and taskId" if job is not None else "neither jobId nor taskId"
        raise NoJobError(f"the message has {found}")
    name, target_id = ("jobId", job) if task is None else ("taskId", task)
    if not isinstance(target_id, str) or not 0 < len(target_id) <= _MAX_ID or "\0" in target_id:
        raise NoJobError(f"{name} is {_shown(target_id)}, not text of 1 to {_MAX_ID} characters")
    return Concept.JOB if task is None else Concept.TASK, target_id


def _topic(message: dict[str, Any]) -> str | None:
    topic = message.get("topic")
    if topic is not None and not (isinstance(topic, str) and is_target_id(topic)):
        raise NoJobError(f"topic is {_shown(topic)}, no name of a topic (small letters, digits, hyphens)")
    return topic


def _payload(message: dict[str, Any], terms: Terms) -> bytes:
    payload = message.get("payload")
    if payload is None:
        return b"{}"
    if not isinstance(payload, dict):
        raise NoJobError(f"payload is {_kind(payload)}, not an object")
    raw = msgspec.json.encode(payload)
    if len(raw) > terms.max_payload_bytes:
        limit = format_size(terms.max_payload_bytes)
        raise NoJobError(f"the payload has {len(raw)} bytes, over max_payload_bytes ({limit})")
    return raw


def _priority(message: dict[str, Any], default: int) -> int:
    priority = message.get("priority")
    if priority is None:
        return default
    if isinstance(priority, bool) or not isinstance(priority, int) or not 0 <= priority <= MAX_PRIORITY:
        raise NoJobError(f"priority is {_shown(priority)}, not a whole number from 0 to {MAX_PRIORITY}")
    return priority


def _delay(message: dict[str, Any]) -> int:
    delay = message.get("delay")
    if delay is None:
        return 0
    try:
        return parse_duration(delay)
    except ValueError:
        raise NoJobError(f"delay is {_shown(delay)}, not milliseconds or text such as “30s”") from None


def _text(message: Mapping[str, Any], name: str) -> str | None:
    text = message.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not 0 < len(text) <= MAX_TEXT or "\0" in text:
        raise NoJobError(f"{name} is {_shown(text)}, not text of 1 to {MAX_TEXT} characters")
    return text


def _trace(message: dict[str, Any], headers: Mapping[str, Any], name: str) -> str | None:
    found = message.get(name, headers.get(name))
    return found if isinstance(found, str) and 0 < len(found) <= MAX_TEXT and "\0" not in found else None


def _kind(value: Any) -> str:
    """Name the JSON type of a value."""
    return next((name for kind, name in _KINDS.items() if type(value) is kind), "null")


def _shown(value: Any) -> str:
    if isinstance(value, dict | list):
        return _kind(cast("Any", value))
    text = repr(value) if value is not None else "null"
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
