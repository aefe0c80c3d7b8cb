"""Where a RabbitMQ is, who we are there, and what its URL asks for besides."""

import ssl
from enum import StrEnum
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from netscript_workers.errors import ConfigError

HEARTBEAT_S: Final = 5
_PORTS: Final = {"amqp": 5672, "amqps": 5671}
_GUEST: Final = "guest"  # RabbitMQ's own first user, with this password
PARAMETERS: Final = ("queue_type", "heartbeat", "cafile", "certfile", "keyfile")


class QueueType(StrEnum):
    """How RabbitMQ keeps our queues: on one node, or copied to several (needs a cluster to be worth it)."""

    CLASSIC = "classic"
    QUORUM = "quorum"


class Address(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection needs. Prints masked.

    `heartbeat_s` bounds how long a dead connection goes unnoticed: about twice that. `cafile` holds the certificates to trust
    in place of the system's, `certfile` and `keyfile` our own for a server that asks for one; `amqps` only.
    """

    host: str
    port: int
    vhost: str
    user: str
    password: str
    tls: bool = False
    queue_type: QueueType = QueueType.CLASSIC
    heartbeat_s: int = HEARTBEAT_S
    cafile: str | None = None
    certfile: str | None = None
    keyfile: str | None = None

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Read a URL such as `amqp://user:password@host:5672/vhost?queue_type=quorum`; raises `ConfigError`.

        Without a user it is guest, whose password is guest; without a path the vhost is `/`.
        """
        parts = urlsplit(url)
        scheme = parts.scheme.lower()
        if scheme not in _PORTS or not parts.hostname:
            raise ConfigError("the AMQP URL must read amqp://user@host:5672/vhost or amqps://…")
        asked = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in asked:
            if name not in PARAMETERS:
                known = ", ".join(PARAMETERS)
                raise ConfigError(f"the AMQP URL has the unknown parameter “{name}”; known are {known}")
        tls = scheme == "amqps"
        user = unquote(parts.username or _GUEST)
        password = _GUEST if parts.password is None and user == _GUEST else unquote(parts.password or "")
        if not tls and any(name.endswith("file") for name in asked):
            raise ConfigError("the AMQP URL names certificates, which only amqps:// uses")
        return cls(
            host=parts.hostname,
            port=parts.port or _PORTS[scheme],
            vhost=unquote(parts.path[1:]) or "/",
            user=user,
            password=password,
            tls=tls,
            queue_type=_queue_type(asked.get("queue_type")),
            heartbeat_s=_heartbeat(asked.get("heartbeat")),
            cafile=asked.get("cafile"),
            certfile=asked.get("certfile"),
            keyfile=asked.get("keyfile"),
        )

    def __repr__(self) -> str:
        return f"Address({self.shown!r})"

    __str__ = __repr__

    @property
    def shown(self) -> str:
        """Return the URL without user and password."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        path = "" if self.vhost == "/" else self.vhost
        return f"{'amqps' if self.tls else 'amqp'}://***@{host}:{self.port}/{path}"

    @property
    def place(self) -> str:
        """Name the server in a sentence."""
        return f"RabbitMQ at {self.host}:{self.port}, vhost “{self.vhost}” ({self.shown})"

    def ssl_context(self) -> ssl.SSLContext | None:
        """Return how to speak TLS, certificates checked; None for a plain connection. Raises `OSError`, `ssl.SSLError`."""
        if not self.tls:
            return None
        context = ssl.create_default_context(cafile=self.cafile)
        if self.certfile is not None:
            context.load_cert_chain(self.certfile, self.keyfile)
        return context


def _queue_type(text: str | None) -> QueueType:
    if text is None:
        return QueueType.CLASSIC
    try:
        return QueueType(text.lower())
    except ValueError:
        raise ConfigError(
            f"the AMQP URL asks for queue_type={text}; RabbitMQ has classic and quorum queues"
        ) from None


def _heartbeat(text: str | None) -> int:
    if text is None:
        return HEARTBEAT_S
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 60:  # noqa: PLR2004 - said in the message
        raise ConfigError(f"the AMQP URL asks for heartbeat={text}; it must be 1 to 60 seconds")
    return int(text)
