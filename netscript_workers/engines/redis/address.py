"""Where a Redis is, and what its URL asks for besides: read once, so that a wrong one is told at the start."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection, parse_url

from netscript_workers.errors import ConfigError

CONNECT_S: Final = 5.0
_PORT: Final = 6379
_PLAIN: Final = ("db", "username", "password", "client_name", "socket_connect_timeout", "socket_read_size")
_NETWORK: Final = ("socket_keepalive",)
_TLS: Final = (
    "ssl_ca_certs",
    "ssl_ca_path",
    "ssl_ca_data",
    "ssl_certfile",
    "ssl_keyfile",
    "ssl_password",
    "ssl_cert_reqs",
    "ssl_check_hostname",
    "ssl_ciphers",
    "ssl_min_version",
)
# Of the driver's: read, and not used, since every command has a bound and a version of the protocol of our own.
_IGNORED: Final = ("socket_timeout", "timeout", "protocol", "max_connections", "retry_on_timeout")
_IGNORED_TOO: Final = ("health_check_interval", "decode_responses", "encoding")

Link = Connection | SSLConnection | UnixDomainSocketConnection


class Address(NamedTuple):
    """What a connection is made from. `options` hold the password: never print them."""

    kind: type[Link]
    options: Mapping[str, Any]
    places: tuple[tuple[str, int], ...] = ()
    """host and port of each node named, in order; none for a socket"""

    @property
    def host(self) -> str:
        """Return the name of the server's host."""
        return self.options.get("host") or "localhost"

    @property
    def place(self) -> str:
        """Name the server without user and password."""
        return self.options.get("path") or f"{self.host}:{self.options.get('port', 6379)}"

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read `redis://user:password@host:6379/0?option=…`, `rediss://…` or `unix://…`; raises `ConfigError`.

        Several nodes of one cluster are named as `redis://user:password@one:6379,two:6379/0`.
        """
        try:
            places = _places(url)
            parts = urlsplit(url := _with_one(url, places))
            _ = parts.port
        except ValueError:  # its text may hold a part of the password
            raise ConfigError(
                "the Redis URL cannot be read: is its port a number, and is every special character of the password "
                "percent-encoded (/ as %2F, @ as %40, # as %23)? Correct connections.redis_url (REDIS_URL)."
            ) from None
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            options = cast("dict[str, Any]", parse_url(url))
        except ValueError as error:
            raise ConfigError(f"the Redis URL cannot be used: {error}") from None
        kind: type[Link] = options.pop("connection_class", Connection)
        known = [*_PLAIN, *(() if kind is UnixDomainSocketConnection else _NETWORK)]
        known += _TLS if kind is SSLConnection else ()
        for name in asked:
            if name in _IGNORED or name in _IGNORED_TOO:
                options.pop(name, None)
            elif name not in known:
                only = ", which only rediss:// uses" if name in _TLS else ""
                raise ConfigError(
                    f"the Redis URL has the unknown option “{name}”{only}; known are {', '.join(known)}"
                )
        database = parts.path.strip("/")
        if kind is not UnixDomainSocketConnection and database and not database.isdecimal():
            raise ConfigError("the path of the Redis URL must be the number of a database, such as /0")
        _complete(kind, options)
        return cls(kind, options, () if kind is UnixDomainSocketConnection else places)


def _places(url: str) -> tuple[tuple[str, int], ...]:
    """Return host and port of each node that `url` names; raises `ValueError`."""
    hosts = urlsplit(url).netloc.rpartition("@")[2].split(",")
    each = [urlsplit(f"//{host}") for host in hosts]
    return tuple((one.hostname or "localhost", one.port or _PORT) for one in each)


def _with_one(url: str, places: tuple[tuple[str, int], ...]) -> str:
    """Return `url` with the first of its nodes alone, as the driver reads it."""
    if len(places) == 1:
        return url
    parts = urlsplit(url)
    host, port = places[0]
    user, at, _ = parts.netloc.rpartition("@")
    return parts._replace(netloc=f"{user}{at}{f'[{host}]' if ':' in host else host}:{port}").geturl()


def _complete(kind: type[Link], options: dict[str, Any]) -> None:
    if kind is SSLConnection:
        required = options.setdefault("ssl_cert_reqs", "required") == "required"
        options.setdefault("ssl_check_hostname", required)
    if kind is not UnixDomainSocketConnection:
        options.setdefault("socket_keepalive", True)
    options.setdefault("socket_connect_timeout", CONNECT_S)
    options["socket_timeout"] = None  # every command has one bound for all of it
    options["protocol"] = 2
    options["client_name"] = options.get("client_name") or "netscript-workers"
