"""The comparison as a table for people, as Markdown for the README, and as JSON."""

import os
import platform
import statistics
import textwrap
import time
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.peers.measuring import Measured

HEADINGS = ("runs/s", "latency p50, ms", "idle, % of a core", "CPU s per 1,000: worker", "server", "kept")


def table(found: list[Measured]) -> None:
    """Print a table for people."""
    drawn = Table()
    drawn.add_column("engine")
    drawn.add_column("product")
    for heading in HEADINGS:
        drawn.add_column(heading, justify="left" if heading == "kept" else "right")
    for one in found:
        style = "bold" if one.row.ours else "red" if one.failure else None
        drawn.add_row(one.row.engine, _name(one), *_cells(one), style=style)
    Console(width=None if os.isatty(1) else 170).print(drawn)
    for one in found:
        if one.failure:
            Console(stderr=True).print(f"{one.row.engine} {_name(one)}: {one.failure}", markup=False)


def markdown(found: list[Measured], about: dict[str, Any]) -> str:
    """Write the table that the README holds, with a line about where and how it was measured."""
    lines = [
        f"| | {' | '.join(HEADINGS)} |",
        f"|---|{'--:|' * (len(HEADINGS) - 1)}---|",
    ]
    engine = ""
    for one in found:
        if one.row.engine != engine:
            engine = one.row.engine
            lines.append(f"| **{engine}** |{' |' * len(HEADINGS)}")
        name = f"**{_name(one)}**" if one.row.ours else _name(one)
        cells = _cells(one)
        if one.failure and one.rate is None:
            cells = [f"not measured: {_safe(one.failure)}", *[""] * (len(HEADINGS) - 1)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        f"\n{one.row.engine} {_name(one)} stopped there: {_safe(one.failure)}"
        for one in found
        if one.failure and one.rate is not None
    ]
    lines += [
        f"\n{one.row.engine} {_name(one)}: {one.repeated} of the runs started once more than enqueued."
        for one in found
        if one.repeated
    ]
    measured = (
        f"Measured {about['date']}, {about['cores']} cores, load {about['loadBefore']} before and {about['load']} after, "
        f"with `{about['command']}`; Python {', '.join(_pythons(found))}; {', '.join(_packages(found))}."
    )
    return "\n".join(
        [*lines, "", textwrap.fill(measured, 128, break_on_hyphens=False, break_long_words=False)]
    )


def _safe(text: str) -> str:
    return text.replace("|", "¦")


def _pythons(found: list[Measured]) -> list[str]:
    return sorted({one.versions["python"] for one in found if one.versions})


def _packages(found: list[Measured]) -> list[str]:
    """Name every package and its versions (two environments may hold different ones)."""
    held = {(name, version) for one in found for name, version in one.versions.items() if name != "python"}
    return [f"{name} {version}" for name, version in sorted(held)]


def load() -> str:
    """Return how many processes wanted a core during the last minute."""
    return Path("/proc/loadavg").read_text().split()[0]


def machine(command: str, load_before: str) -> dict[str, Any]:
    """Say where, when, under which load and how it was measured."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "loadBefore": load_before,
        "load": load(),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "command": command,
    }


def _name(one: Measured) -> str:
    version = one.versions.get(one.row.peer, "")
    return f"{one.row.peer} {version}, {one.row.way}".replace(" ,", ",")


def _cells(one: Measured) -> list[str]:
    latency = statistics.median(one.latencies_ms) if one.latencies_ms else None
    figures = [
        _written(one.rate),
        _written(latency),
        _written(one.idle_percent),
        _seconds(one.worker_s),
        _seconds(one.server_s) if one.row.servers else "",
    ]
    return [*figures, one.row.kept]


def _seconds(values: list[float]) -> str:
    return f"{statistics.median(values):.3f}" if values else "?"


def _written(value: float | None) -> str:
    if value is None:
        return "?"
    if value >= 1_000:
        return f"{round(value, 2 - len(str(int(value))) + 1):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.2g}"
