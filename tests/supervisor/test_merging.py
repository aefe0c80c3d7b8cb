"""The lines of all children in one log."""

import io
import json

from netscript_workers.supervisor.merging import MergedLog


def written(process, stream, line, *, as_json):
    out = io.StringIO()
    MergedLog(out, as_json=as_json, now_ms=lambda: 0).write(process, stream, line)
    return out.getvalue()


def test_text_gets_the_process_in_front():
    assert written("worker-mail", "stderr", "12:00 INFO up", as_json=False) == "[worker-mail] 12:00 INFO up\n"


def test_json_stays_json_with_one_field_more():
    line = '{"time": "t", "level": "info", "message": "caf\\u00e9 {", "big": 12345678901234567890123}'
    text = written("combined", "stderr", line, as_json=True)
    assert text.count("\n") == 1
    assert json.loads(text) == {**json.loads(line), "process": "combined"}


def test_a_line_that_is_no_json_becomes_the_message_of_one():
    for line in ("Traceback (most recent call last):", "{not json", "[1]", ""):
        fields = json.loads(written("combined", "stderr", line, as_json=True))
        assert (fields["message"], fields["level"], fields["process"]) == (line, "warning", "combined")
    assert json.loads(written("x", "stdout", "printed", as_json=True))["level"] == "info"


def test_a_log_that_cannot_be_written_is_counted_and_hurts_nobody():
    with open("/dev/full", "w") as full:
        log = MergedLog(full, as_json=False)
        log.write("a", "stdout", "x")
        assert log.lost == 1
        log.write("a", "stdout", "y")
        assert log.lost == 2
        full.buffer.raw.close()  # else closing it would try to write once more


def test_without_a_standard_error_nothing_is_written():
    MergedLog(None, as_json=True).write("a", "stdout", "x")
