"""Lists of hosts are read exactly, and no spelling gets around them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.sandbox.hosts import HostRule, allowed, host_of, parse, split_port

LISTED = [
    parse(each) for each in ("api.example.com:443", "*.cdn.example.com", "192.0.2.1:80", "[2001:db8::1]:443")
]


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("api.example.com", 443),
        ("API.Example.Com.", 443),
        ("a.cdn.example.com", 80),
        ("a.b.cdn.example.com", 8443),
        ("192.0.2.1", 80),
        ("::ffff:192.0.2.1", 80),
        ("2001:db8:0:0::1", 443),
    ],
)
def test_a_listed_host_is_allowed_however_it_is_written(host, port):
    assert allowed(LISTED, host, port)


@pytest.mark.parametrize(
    ("host", "port"),
    [
        ("api.example.com", 80),
        ("example.com", 443),
        ("evil-api.example.com", 443),
        ("api.example.com.evil.net", 443),
        ("cdn.example.com", 443),
        ("xcdn.example.com", 443),
        ("192.0.2.1", 443),
        ("3221225985", 80),
        ("0xc0000201", 80),
        ("192.0.2.01", 80),
        ("api.example.com\r\nHost: other", 443),
        ("api.example.com%00", 443),
        ("", 443),
    ],
)
def test_another_host_is_not(host, port):
    assert not allowed(LISTED, host, port)


@pytest.mark.parametrize(
    "entry",
    ["", "a b", "host:0", "host:99999", "host:x", "[::1", "[::1]x", "*", "*.*.com", "http://x", "-a.com"],
)
def test_an_entry_that_is_no_host_is_refused(entry):
    with pytest.raises(ValueError, match=r".+"):
        parse(entry)


@given(st.text(max_size=40), st.integers(0, 70_000))
def test_any_text_is_answered_and_never_raises(host, port):
    assert allowed([HostRule("example.com", False, 443)], host, port) in {True, False}


@given(st.text(max_size=40))
def test_what_is_parsed_covers_itself(entry):
    try:
        rule = parse(entry)
    except ValueError:
        return
    host = f"a.{rule.host}" if rule.below else rule.host
    assert rule.covers(host_of(host), rule.port or 443)


def test_ports_are_parted_from_addresses():
    assert split_port("[::1]:80") == ("::1", 80)
    assert split_port("::1") == ("::1", None)
    assert split_port("host:80") == ("host", 80)
