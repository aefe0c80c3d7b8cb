"""The nodes that a queue may be on: one Redis, several that the URL names, or those that a cluster tells of."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

_MOST: Final = 64
"""How many nodes of a cluster are remembered: somewhere to go when one dies, not a map of its slots."""

Place = tuple[str, int]


class Nodes:
    """Says which node to ask. The one that was asked last stays so until it fails or sends us elsewhere."""

    def __init__(self, given: Sequence[Place]) -> None:
        """Begin with the first of those that the URL names; a socket of this host has none."""
        self._given = tuple(given)
        self._told: tuple[Place, ...] = ()
        self.current = given[0] if given else None

    def __len__(self) -> int:
        """Return how many there are to try, one at least."""
        return max(1, len(self._all()))

    def _all(self) -> list[Place]:
        return list(dict.fromkeys((*self._given, *self._told)))

    def follow(self, place: Place) -> bool:
        """Ask `place` from now on; False when it is asked already."""
        if place == self.current:
            return False
        if place not in self._all():
            self._told = (place, *self._told)[:_MOST]
        self.current = place
        return True

    def learn(self, places: Iterable[Place]) -> None:
        """Remember what a cluster consists of, in the place of what was known of it."""
        self._told = tuple(dict.fromkeys(places))[:_MOST]

    def leave(self, place: Place | None) -> None:
        """Ask the next one, since `place` failed; nothing happens when another one is asked already."""
        places = self._all()
        if place != self.current or not places:
            return
        at = places.index(place) if place in places else -1
        self.current = places[(at + 1) % len(places)]


def places_of(slots: Any, asked: str) -> list[Place]:
    """Read the answer to `CLUSTER SLOTS`; a node that does not know its own address is at the host that was `asked`."""
    found: list[Place] = []
    for _first, _last, *nodes in slots:
        for host, port, *_rest in nodes:
            name = host.decode() if host else ""
            found.append((asked if name in ("", "?") else name, int(port)))
    return list(dict.fromkeys(found))
