"""Lists of hosts: `api.example.com`, `api.example.com:443`, `*.example.com`, `192.0.2.1:80`, `[2001:db8::1]:443`."""

import ipaddress
import re
from collections.abc import Iterable
from typing import Final, Protocol

import msgspec

_LABEL: Final = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
_MAX_NAME: Final = 253
_MAX_PORT: Final = 65_535


class Covering(Protocol):
    """Whatever can tell which connections are meant."""

    def covers(self, host: str, port: int) -> bool:
        """Tell whether a connection to `host` (as `host_of` returns it) and `port` is meant."""
        ...


class HostRule(msgspec.Struct, frozen=True):
    """One entry: a name or address in its shortest form, whether all names below it are meant, and a port (None: every one)."""

    host: str
    below: bool = False
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Tell whether a connection to `host` (as `host_of` returns it) and `port` is meant."""
        if self.port not in {None, port}:
            return False
        return host.endswith("." + self.host) if self.below else host == self.host


def parse(entry: str) -> HostRule:
    """Read one entry; raises `ValueError` that says what is wrong with it."""
    name, port = split_port(entry.strip())
    below = name.startswith("*.")
    return HostRule(host_of(name[2:] if below else name), below, port)


def split_port(text: str) -> tuple[str, int | None]:
    """Part `host:port`, `[v6]:port` or either without a port; raises `ValueError`."""
    if text.startswith("["):
        name, closed, rest = text[1:].partition("]")
        if not closed or (rest and not rest.startswith(":")):
            raise ValueError(f"{text!r}: an IPv6 address is written [address]:port")
        return name, _port(rest[1:], text) if rest else None
    if text.count(":") > 1:
        return text, None  # an IPv6 address without brackets has no port
    name, colon, port = text.partition(":")
    return name, _port(port, text) if colon else None


def host_of(name: str) -> str:
    """Return a name in lower case, without its final dot, or an address in its shortest form; raises `ValueError`."""
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass  # a name then
    else:
        mapped = getattr(address, "ipv4_mapped", None)
        return str(mapped or address)
    try:
        plain = name.encode("idna").decode("ascii") if not name.isascii() else name
    except UnicodeError:
        raise ValueError(f"{name!r} is no host name") from None
    plain = plain.lower().removesuffix(".")
    labels = plain.split(".")
    if not plain or len(plain) > _MAX_NAME or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"{name!r} is no host name")
    if labels[-1].isdigit() or labels[-1].startswith("0x"):
        raise ValueError(f"{name!r} is no host name and no address")
    return plain


def allowed(rules: Iterable[Covering], host: str, port: int) -> bool:
    """Tell whether one of `rules` covers this connection; `host` is a name or address as a program wrote it."""
    try:
        plain = host_of(host)
    except ValueError:
        return False
    return any(rule.covers(plain, port) for rule in rules)


def _port(text: str, whole: str) -> int:
    if not text.isascii() or not text.isdigit() or not 0 < int(text) <= _MAX_PORT:
        raise ValueError(f"{whole!r}: the port is a number from 1 to {_MAX_PORT}")
    return int(text)
