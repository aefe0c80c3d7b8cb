"""The comparison as a table for people, as Markdown for the README, and as JSON."""

import os
import platform
import statistics
import time
from pathlib import Path

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


def markdown(found: list[Measured], command: str) -> str:
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
            cells = [f"not measured: {one.failure.replace('|', '¦')}", *[""] * (len(HEADINGS) - 1)]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    about = machine()
    versions = {name: value for one in found for name, value in one.versions.items() if name != "python"}
    lines += [
        "",
        (
            f"Measured {about['date']} on {about['cores']} cores (load {about['load']} at the end), Python {about['python']}, "
            f"with `{command}`:"
        ),
        ", ".join(f"{name} {value}" for name, value in sorted(versions.items())) + ".",
    ]
    return "\n".join(lines)


def machine() -> dict[str, object]:
    """Say where and when."""
    return {
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "cores": os.cpu_count(),
        "load": Path("/proc/loadavg").read_text().split()[0],
        "python": platform.python_version(),
        "platform": platform.platform(),
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
