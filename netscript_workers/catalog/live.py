"""A catalog that can be exchanged while a worker runs."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from netscript_workers.catalog.targets import Catalog
from netscript_workers.domain.target import Target


class LiveTargets(Mapping[str, Target]):
    """The targets of the catalog of this moment. What was taken from it before an exchange stays as it was."""

    def __init__(self, catalog: Catalog) -> None:
        self._targets = catalog.targets

    def exchange(self, catalog: Catalog) -> None:
        """Show the targets of another catalog from now on."""
        self._targets = catalog.targets

    def __getitem__(self, target_id: str) -> Target:
        return self._targets[target_id]

    def get(self, key: str, default: Any = None, /) -> Any:
        """Return the target of that id, else `default`."""
        return self._targets.get(key, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._targets)

    def __len__(self) -> int:
        return len(self._targets)


class LiveCatalog:
    """What a worker asks of a catalog, over the one of this moment.

    `listeners` are called after each exchange, by a change of the runtime directory and by a reload alike; they must neither wait
    nor raise.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.listeners: list[Callable[[], None]] = []
        self.current = catalog
        self.targets = LiveTargets(catalog)

    def nearest(self, target_id: str) -> list[str]:
        """Return up to three ids that look like `target_id`, the nearest first."""
        return self.current.nearest(target_id)

    def exchange(self, catalog: Catalog) -> None:
        """Take another catalog from now on."""
        self.current = catalog
        self.targets.exchange(catalog)
        for told in self.listeners:
            told()
