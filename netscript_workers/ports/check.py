"""A check: something that looks at a configured project and reports problems."""

from collections.abc import Iterable
from typing import Protocol

from netscript_workers.domain.problem import Problem


class Check(Protocol):
    """Looks and reports; changes nothing and never raises for what it finds."""

    def problems(self) -> Iterable[Problem]:
        """Yield every problem found."""
        ...
