"""Secrets as a type of their own: they print as `***` wherever they end up, and only `reveal()` gives them away."""

from typing import Final, NoReturn
from urllib.parse import urlsplit

MASK: Final = "***"


class Secret:
    """A value nobody may see by accident: `repr`, `str`, formatting, JSON and errors show `***`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        """Take the value in."""
        self._value = value

    def reveal(self) -> str:
        """Return the value itself. Call this only where it is used."""
        return self._value

    def __str__(self) -> str:
        return MASK

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reveal() == self._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled: hand on the reference it came from")


class SecretUrl(Secret):
    """A server's URL. It prints with its scheme, host and path, so that people can tell which; the rest is masked."""

    __slots__ = ()

    @property
    def scheme(self) -> str:
        """Return the scheme in lower case."""
        return self._value.partition(":")[0].lower()

    @property
    def splits(self) -> bool:
        """Tell whether host and port can be told apart, of each host where there are several."""
        try:
            hosts = urlsplit(self._value).netloc.rpartition("@")[2].split(",")
            return all(urlsplit(f"//{host}").port != 0 for host in hosts)
        except ValueError:
            return False

    def __str__(self) -> str:
        return mask_url(self._value)


def mask_url(url: str) -> str:
    """Return `url` without its user, password, query and fragment; `***` alone when it cannot be told apart."""
    try:
        parts = urlsplit(url)
        hosts = _hosts(parts.netloc)
    except ValueError:
        return MASK
    if not parts.scheme or "://" not in url or not (hosts or parts.path):
        return MASK
    if "@" in parts.path + parts.query + parts.fragment:
        return (
            f"{parts.scheme}://{MASK}"  # an unescaped `/`, `?` or `#` in a password ends the authority early
        )
    user = f"{MASK}@" if "@" in parts.netloc else ""
    query = f"?{MASK}" if parts.query or parts.fragment else ""
    return f"{parts.scheme}://{user}{hosts}{parts.path}{query}"


def _hosts(netloc: str) -> str:
    """Return what follows the user in `netloc`, one host or several, each as read; raises `ValueError`."""
    shown: list[str] = []
    for each in netloc.rpartition("@")[2].split(","):
        parts = urlsplit(f"//{each}")
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port is not None else ""
        shown.append((f"[{host}]" if ":" in host else host) + port)
    return ",".join(shown)
