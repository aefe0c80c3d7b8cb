"""What `workers bench` finds: figures, each the median of some repeats."""

import math
from collections.abc import Sequence
from statistics import median
from typing import Any

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """One line of the table. `values` holds one value for each repeat; `how` says what was done, in a few words."""

    name: str
    unit: str
    values: tuple[float, ...]
    how: str

    @property
    def median(self) -> float:
        """Return the middle value."""
        return median(self.values)

    def shape(self) -> dict[str, Any]:
        """Build the entry of `workers bench --json`."""
        return {
            "name": self.name,
            "unit": self.unit,
            "median": self.median,
            "min": min(self.values),
            "max": max(self.values),
            "repeats": len(self.values),
            "how": self.how,
        }

    def row(self) -> list[str]:
        """Build the line of the table."""
        low, high = min(self.values), max(self.values)
        spread = "" if len(self.values) == 1 else f"{written(low)} to {written(high)}"
        return [self.name, written(self.median), self.unit, spread, self.how]


def written(value: float) -> str:
    """Write a value with about three significant digits, thousands parted."""
    if abs(value) >= 100:  # noqa: PLR2004 - three digits
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"  # noqa: PLR2004 - three digits


def percentile(values: Sequence[float], share: float) -> float:
    """Return the smallest of `values` that at least `share` (0 to 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
