"""From what a caller asks for to what the queue takes; everything that can be refused is refused here."""

import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import msgspec

from netscript_workers.authoring.encode import UnencodableResultError, encode_result
from netscript_workers.catalog import Catalog
from netscript_workers.domain.duration import parse_duration
from netscript_workers.domain.execution import NewExecution, TriggeredBy
from netscript_workers.domain.ids import IdFactory
from netscript_workers.domain.message import MAX_TEXT, TRACEPARENT
from netscript_workers.domain.size import format_size
from netscript_workers.domain.target import MAX_PRIORITY, Target
from netscript_workers.errors import PayloadError, UnknownTargetError, UsageError

Duration = int | str | timedelta


class Trigger(msgspec.Struct, frozen=True):
    """One request of `trigger_many`: the target's id, the payload, and what `trigger` takes beside them."""

    id: str
    payload: Any = None
    priority: int | None = None
    delay: Duration = 0
    idempotency_key: str | None = None
    correlation_id: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


class RequestMaker:
    """Makes queue requests out of triggers. What depends on the target alone is looked up once for each."""

    def __init__(self, catalog: Catalog, max_payload_bytes: int, triggered_by: TriggeredBy) -> None:
        self._catalog = catalog
        self._max_payload_bytes = max_payload_bytes
        self._triggered_by = triggered_by
        self._ids = IdFactory()
        self._known: dict[str, tuple[Target, Callable[[bytes], Any] | None]] = {}

    def make_many(self, triggers: Sequence[Trigger]) -> list[NewExecution]:
        """Return one request for each trigger, in order.

        Raises `UnknownTargetError`, `PayloadError` or `UsageError` for the first bad one, and then none is made.
        """
        ids = self._ids.new_many(time.time_ns() // 1_000_000, len(triggers)) if triggers else []
        return [self._make(trigger, new_id) for trigger, new_id in zip(triggers, ids, strict=True)]

    def _make(self, trigger: Trigger, new_id: str) -> NewExecution:
        known = self._known.get(trigger.id) or self._look_up(trigger.id)
        target, decode = known
        payload = self._payload(trigger, decode)
        if trigger.traceparent is not None and TRACEPARENT.match(trigger.traceparent) is None:
            raise UsageError(
                f"traceparent {trigger.traceparent!r} is none: it looks like 00-<32 hex>-<16 hex>-01"
            )
        return NewExecution(
            id=new_id,
            concept=target.concept,
            target=target.id,
            topic=target.topic,
            payload=payload,
            priority=target.priority if trigger.priority is None else _priority(trigger.priority),
            delay_ms=0 if trigger.delay == 0 else delay_ms(trigger.delay, "delay"),
            max_attempts=target.max_attempts,
            triggered_by=self._triggered_by,
            idempotency_key=_text(trigger.idempotency_key, "idempotency_key"),
            correlation_id=_text(trigger.correlation_id, "correlation_id"),
            traceparent=trigger.traceparent,
            tracestate=_text(trigger.tracestate, "tracestate"),
        )

    def _look_up(self, target_id: str) -> tuple[Target, Callable[[bytes], Any] | None]:
        target = self._catalog.targets.get(target_id)
        if target is None:
            raise UnknownTargetError(_unknown(target_id, self._catalog))
        handler = self._catalog.handlers.get(target_id)
        known = self._known[target_id] = (target, handler.decode if handler else None)
        return known

    def _payload(self, trigger: Trigger, decode: Callable[[bytes], Any] | None) -> bytes:
        if trigger.payload is None:
            raw = b"{}"
        else:
            try:
                raw = encode_result(trigger.payload)
            except UnencodableResultError as error:
                raise PayloadError(f"the payload for {trigger.id!r} is not JSON: {error}") from None
            if raw[:1] != b"{":
                kind = type(trigger.payload).__name__
                raise PayloadError(f"the payload for {trigger.id!r} must be a JSON object, not a {kind}")
            if len(raw) > self._max_payload_bytes:
                raise PayloadError(
                    f"the payload for {trigger.id!r} has {len(raw)} bytes, over max_payload_bytes "
                    f"({format_size(self._max_payload_bytes)}): store it elsewhere and send where it is"
                )
        if decode is not None:
            try:
                decode(raw)
            except PayloadError as error:
                raise PayloadError(f"{trigger.id!r}: {error}") from None
        return raw


def delay_ms(value: object, name: str) -> int:
    """Return a duration (ms, text such as `"30s"`, or a timedelta) as ms; raises `UsageError`."""
    if isinstance(value, timedelta):
        value = round(value.total_seconds() * 1000)
    try:
        return parse_duration(value)
    except ValueError as error:
        raise UsageError(f"{name} {value!r} {error}") from None


def _priority(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_PRIORITY:
        return value
    raise UsageError(f"priority must be a whole number from 0 to {MAX_PRIORITY}, not {value!r}")


def _text(value: object, name: str) -> str | None:
    if value is None:
        return None
    if not isinstance(value, str) or not value or len(value) > MAX_TEXT:
        raise UsageError(f"{name} must be text of 1 to {MAX_TEXT} characters, not {str(value)[:80]!r}")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError(f"{name} {value!r} has no UTF-8 form") from None
    return value


def _unknown(target_id: object, catalog: Catalog) -> str:
    if not isinstance(target_id, str):
        return f"a target's id is text, not {target_id!r}"
    nearest = catalog.nearest(target_id)
    guess = f" Did you mean {', '.join(nearest)}?" if nearest else ""
    errors = sum(1 for problem in catalog.problems if problem.code.startswith("E"))
    broken = f" {errors} definitions could not be loaded: see workers validate." if errors else ""
    return (
        f"no job or task has the id {target_id!r}.{guess}{broken} List them with: workers jobs, workers tasks"
    )
