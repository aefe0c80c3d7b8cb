"""A Redis URL that cannot be used is told by its option, before anything is connected to, and without its password."""

import pytest

from netscript_workers.engines.redis import RedisEngine
from netscript_workers.engines.redis.address import Address
from netscript_workers.engines.redis.nodes import Nodes, places_of
from netscript_workers.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://h/0?foo=bar", "foo"),
        ("redis://h/0?max_connections=abc", "max_connections"),
        ("redis://h/0?socket_connect_timeout=soon", "socket_connect_timeout"),
        ("redis://h/0?ssl_ca_certs=x", "only rediss:// uses"),
        ("redis://h/jobs", "number of a database"),
        ("redis://:se/cret@h/0", "percent-encoded"),
        ("redis://:cret@h,i:port/0", "percent-encoded"),
        ("http://h/0", "rediss://"),
    ],
)
def test_a_wrong_url_is_a_wrong_configuration(url, told):
    with pytest.raises(ConfigError, match=told) as raised:
        RedisEngine(url)
    assert "cret" not in str(raised.value)
    assert "'se'" not in str(raised.value)


def test_what_a_url_asks_for_is_asked_for_at_each_connection():
    address = Address.parse("rediss://u:p%2F@h:7/3?ssl_cert_reqs=none&client_name=me&socket_timeout=1")
    options = address.options
    assert (options["host"], options["port"], options["db"]) == ("h", 7, 3)
    assert (options["username"], options["password"], options["client_name"]) == ("u", "p/", "me")
    assert (options["ssl_check_hostname"], options["socket_timeout"]) == (False, None)
    assert Address.parse("unix:///run/redis.sock?db=2").options["path"] == "/run/redis.sock"


def test_a_url_may_name_several_nodes_of_a_cluster():
    address = Address.parse("redis://u:p,w@one:7000,two,[::1]:7002/0")
    assert address.places == (("one", 7000), ("two", 6379), ("::1", 7002))
    assert (address.options["host"], address.options["port"], address.options["password"]) == (
        "one",
        7000,
        "p,w",
    )
    assert Address.parse("redis://h").places == (("h", 6379),)
    assert Address.parse("unix:///run/redis.sock").places == ()


def test_the_node_that_failed_is_left_for_the_next_one_of_those_known():
    nodes = Nodes([("a", 1), ("b", 1)])
    assert nodes.current == ("a", 1)
    assert nodes.follow(("c", 1))
    assert not nodes.follow(("c", 1))
    nodes.learn([("c", 1), ("d", 1), ("a", 1)])
    assert len(nodes) == 4
    nodes.leave(("b", 1))
    assert nodes.current == ("c", 1), "it was not b that was asked"
    asked = []
    for _ in range(4):
        nodes.leave(nodes.current)
        asked.append(nodes.current)
    assert asked == [("d", 1), ("a", 1), ("b", 1), ("c", 1)]
    alone = Nodes([("a", 1)])
    alone.leave(("a", 1))
    assert alone.current == ("a", 1)


def test_the_nodes_of_a_cluster_are_read_from_its_slots():
    slots = [
        [0, 8191, [b"10.0.0.1", 7000, b"id", []], [b"10.0.0.2", 7001, b"id", []]],
        [8192, 16383, [None, 7002, b"id", []], [b"?", 7003, b"id", []], [b"10.0.0.1", 7000, b"id", []]],
    ]
    assert places_of(slots, "h") == [("10.0.0.1", 7000), ("10.0.0.2", 7001), ("h", 7002), ("h", 7003)]
