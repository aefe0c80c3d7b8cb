"""A payload comes from the command line, a file or standard input, and must be a JSON object."""

import io

import pytest

from netscript_workers.cli.payload import read_payload
from netscript_workers.errors import PayloadError


def test_a_payload_is_read_from_the_option_a_file_and_standard_input(tmp_path, monkeypatch):
    (tmp_path / "order.json").write_text('{"from": "file"}')
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b'{"from": "stdin"}')))
    assert read_payload('{"from": "option"}') == {"from": "option"}
    assert read_payload(f"@{tmp_path / 'order.json'}") == {"from": "file"}
    assert read_payload("-") == {"from": "stdin"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{name: 1}", "line 1, column 2"),
        ("", "not JSON"),
        ("[1]", "an array"),
        ('"x"', "a string"),
        ("null", "null"),
        ("true", "a boolean"),
        ('{"x": NaN}', "NaN"),
        ("@/no/such/file", "cannot be read"),
    ],
)
def test_what_is_no_json_object_is_refused_with_the_reason(text, words):
    with pytest.raises(PayloadError, match=words):
        read_payload(text)
