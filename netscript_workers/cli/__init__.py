"""The command line: one file for each noun.

`main` is what the installed `workers` calls. It loads nothing before it knows that it is needed: `workers --help` starts
neither an event loop nor an engine.
"""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line with `argv` (default: this process's arguments) and end the process with its exit status."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command and return its exit status; every error has been told on stderr by then."""
    from netscript_workers.cli import faults

    try:
        from netscript_workers.cli.app import invoke

        status = invoke(argv)
        sys.stdout.flush()
    except BaseException as error:  # noqa: BLE001 - the last frame: each kind of error has its exit status
        return faults.exit_status(error, argv)
    return status
