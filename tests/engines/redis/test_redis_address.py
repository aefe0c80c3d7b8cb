"""A Redis URL that cannot be used is told by its option, before anything is connected to, and without its password."""

import pytest

from netscript_workers.engines.redis import RedisEngine
from netscript_workers.engines.redis.address import Address
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
