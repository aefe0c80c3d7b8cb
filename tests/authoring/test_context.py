"""The context of an attempt, and its log."""

import pytest

from netscript_workers.domain.execution import Progress
from netscript_workers.errors import PayloadError
from support.authoring import Recorder, context


class Broken:
    def __str__(self):
        raise RuntimeError("no text")

    __repr__ = __str__


def lines(recorder):
    return [(line.stream, line.level, line.line) for line in recorder.kept]


def test_the_context_tells_who_runs():
    ctx = context({"a": 1}, attempt=2, correlation_id="c", traceparent="t", tracestate="s")
    assert (ctx.job, ctx.attempt, ctx.max_attempts) == ("under-test", 2, 4)
    assert ctx.id == ctx.execution.id
    assert (ctx.correlation_id, ctx.traceparent, ctx.tracestate) == ("c", "t", "s")
    assert ctx.deadline == 4_000_000_000_000
    assert ctx.remaining_ms() > 0


def test_the_time_left_is_never_negative():
    ctx = context()
    ctx.deadline = 5
    assert ctx.remaining_ms() == 0


def test_the_payload_is_decoded_once():
    ctx = context({"a": [1, {"b": None}]})
    assert ctx.payload == {"a": [1, {"b": None}]}
    assert ctx.payload is ctx.payload


@pytest.mark.parametrize("raw", [b"[1]", b"{", b"\xff"])
def test_a_payload_that_is_no_object_is_told_as_such(raw):
    with pytest.raises(PayloadError, match="no JSON object"):
        _ = context(raw).payload


def test_progress_goes_to_the_observer():
    recorder = Recorder()
    ctx = context(observer=recorder)
    ctx.report_progress(0)
    ctx.report_progress(99.5, "nearly")
    ctx.report_progress(100, "a" * 5_000 + "\udc80")
    assert recorder.reports[:2] == [Progress(0), Progress(99.5, "nearly")]
    message = recorder.reports[2].message or ""
    assert len(message) < 1_200
    message.encode()


@pytest.mark.parametrize("percent", [-1, 100.1, float("nan"), float("inf"), "10", None, Broken()])
def test_a_percent_that_is_none_is_refused(percent):
    with pytest.raises(ValueError, match="from 0 to 100"):
        context().report_progress(percent)


def test_cancelled_is_false_until_marked():
    ctx = context()
    assert ctx.cancelled is False
    ctx.mark_cancelled()
    assert ctx.cancelled is True


def test_every_level_writes_a_line():
    recorder = Recorder()
    log = context(observer=recorder).log
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)("a %s", level)
    assert lines(recorder) == [
        ("log", level, f"a {level}") for level in ("debug", "info", "warning", "error", "critical")
    ]
    assert all(line.time > 1_700_000_000_000 for line in recorder.kept)


def test_fields_follow_the_message_and_are_quoted_where_they_need_it():
    recorder = Recorder()
    context(observer=recorder).log.info("paid", order="A-1", note="two words", empty="", amount=3)
    assert recorder.kept[0].line == "paid order=A-1 note='two words' empty='' amount=3"


def test_a_mapping_fills_named_places():
    recorder = Recorder()
    context(observer=recorder).log.info("%(a)s and %(b)d", {"a": "x", "b": 2})
    assert recorder.kept[0].line == "x and 2"


def test_many_lines_in_one_message_are_many_lines():
    recorder = Recorder()
    context(observer=recorder).log.info("one\ntwo\n\nfour")
    assert [line.line for line in recorder.kept] == ["one", "two", "", "four"]


def test_an_exception_brings_its_traceback():
    recorder = Recorder()
    log = context(observer=recorder).log
    try:
        {}["lost"]
    except KeyError:
        log.exception("it broke")
    text = "\n".join(line.line for line in recorder.kept)
    assert text.startswith("it broke\nTraceback (most recent call last)")
    assert text.endswith("KeyError: 'lost'")
    assert {line.level for line in recorder.kept} == {"error"}


@pytest.mark.parametrize(
    ("message", "args", "fields"),
    [
        ("%d", ("x",), {}),
        ("%s %s", ("only one",), {}),
        ("%s", (Broken(),), {}),
        (Broken(), (), {}),
        ("x", (), {"field": Broken()}),
        ("100% sure", ("x",), {}),
        ("\udcff", (), {}),
    ],
)
def test_nothing_that_is_logged_can_fail_the_run(message, args, fields):
    recorder = Recorder()
    context(observer=recorder).log.info(message, *args, **fields)
    assert recorder.kept
    recorder.kept[0].line.encode()


def test_a_line_has_a_bound():
    recorder = Recorder()
    context(observer=recorder).log.info("x" * 1_000_000)
    assert len(recorder.kept[0].line) < 20_000
    assert "left out" in "".join(line.line for line in recorder.kept)
