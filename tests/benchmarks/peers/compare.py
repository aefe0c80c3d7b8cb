"""Our product beside its peers, in one run: runs a second, idle latency, idle cost, processor time per run.

    .venv/bin/python tests/benchmarks/peers/compare.py [--only redis --only celery …] [--runs N] [--repeat N]
                                                       [--markdown | --json] [--save FILE | --load FILE] [--list]

Every product runs the same no-op job with a payload of 100 bytes, enqueued in bulk before its worker starts, through its own
documented API and its own worker command, set up as its documentation advises for throughput (programs/with_*.py say how).
The peers come from PyPI into environments of their own in a cache directory; the servers are private ones on free ports
of 127.0.0.1. What cannot be installed or fails is a row that says why. Progress goes to stderr.
"""

# ruff: noqa: T201 - it prints what it measured

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.peers import catalogue, environments, measuring, report
from benchmarks.peers.stage import Stage


def main() -> int:
    arguments = _parser().parse_args()
    rows = catalogue.chosen(arguments.only)
    if arguments.list:
        for row in rows:
            print(f"{row.engine:9} {row.peer:18} {row.way:32} {' '.join(row.requires)}")
        return 0
    if arguments.load:
        saved = json.loads(arguments.load.read_text())
        about, found = saved["machine"], [measuring.remembered(shape) for shape in saved["rows"]]
        found = [one for one in found if one.row in rows]
    else:
        about, found = _measure(arguments, rows)
    if arguments.json:
        print(_saved(about, found))
    elif arguments.markdown:
        print(report.markdown(found, about))
    else:
        report.table(found)
    return 1 if any(one.row.ours and one.failure for one in found) else 0


def _measure(
    arguments: argparse.Namespace, rows: list[catalogue.Row]
) -> tuple[dict[str, Any], list[measuring.Measured]]:
    signal.signal(signal.SIGTERM, _leave)
    made = environments.Environments(arguments.cache, fresh=arguments.fresh, say=_say)
    plan = measuring.Plan(arguments.runs, arguments.repeat, arguments.samples, arguments.idle)
    found: list[measuring.Measured] = []
    load_before = report.load()
    about: dict[str, Any] = {}
    with Stage() as stage:
        for number, row in enumerate(rows, 1):
            _say(f"{number}/{len(rows)} {row.engine}: {row.peer}, {row.way}, {plan.of(row):,} runs")
            found.append(measuring.measure(row, plan, stage, made))
            _say(f"    {found[-1].failure or f'{found[-1].rate:,.0f}/s'}")
            about = report.machine(_command(arguments), load_before)
            if arguments.save:  # after each row: half an hour of measuring should not hang on the last one
                arguments.save.write_text(_saved(about, found))
    return about, found


def _command(arguments: argparse.Namespace) -> str:
    """Write what decides the figures, without where this machine keeps its files."""
    only = "".join(f" --only {word}" for word in arguments.only)
    amount = f"--runs {arguments.runs} --repeat {arguments.repeat}"
    return f"compare.py{only} {amount} --samples {arguments.samples} --idle {arguments.idle:g}"


def _saved(about: dict[str, Any], found: list[measuring.Measured]) -> str:
    return json.dumps({"machine": about, "rows": [one.shape() for one in found]}, indent=2)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--only", action="append", default=[], metavar="WORD", help="an engine or a product; again for more"
    )
    parser.add_argument(
        "--runs", type=int, default=40_000, help="of the fastest; slower ones do a share of it"
    )
    parser.add_argument("--repeat", type=int, default=3, help="drains of each row; the median counts")
    parser.add_argument("--samples", type=int, default=100, help="jobs that measure the idle latency")
    parser.add_argument(
        "--idle", type=float, default=10.0, help="seconds for which an idle worker is watched"
    )
    parser.add_argument("--cache", type=Path, default=environments.cache_directory())
    parser.add_argument("--fresh", action="store_true", help="install the peers anew")
    parser.add_argument("--list", action="store_true", help="say what would be measured")
    parser.add_argument("--save", type=Path, metavar="FILE", help="write every value there, too")
    parser.add_argument("--load", type=Path, metavar="FILE", help="measure nothing: show what was saved")
    shape = parser.add_mutually_exclusive_group()
    shape.add_argument("--markdown", action="store_true", help="the README's table")
    shape.add_argument("--json", action="store_true", help="every value")
    return parser


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _leave(_signal: int, _frame: object) -> None:
    """End as an exception does, so that every server, worker and directory finds its owner's cleanup."""
    raise SystemExit(128 + signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
