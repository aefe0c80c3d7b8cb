"""What a command ends with when an error reaches the top, and what it says then.

Errors raised on purpose carry their exit status (see `errors.py`). Everything else is a fault of ours: exit status 70 and a
report to send, which names neither argument values nor the environment, since both may hold secrets.
"""

import os
import re
import sys
import traceback
from collections.abc import Sequence
from typing import Final

from netscript_workers.errors import WorkersError

CTRL_C: Final = 130
CLOSED_PIPE: Final = 141  # as a shell reports a program that SIGPIPE ended
OWN_FAULT: Final = 70
_CREDENTIALS: Final = re.compile(r"(?P<scheme>\b[a-z][a-z0-9+.-]*://)[^\s/@]*@", re.IGNORECASE)


def exit_status(error: BaseException, argv: Sequence[str]) -> int:
    """Tell `error` on stderr, in the words that fit its kind, and return the exit status it means."""
    if isinstance(error, SystemExit):
        return _requested(error)
    if isinstance(error, KeyboardInterrupt):
        return CTRL_C
    if isinstance(error, BrokenPipeError):
        let_go_of_stdout()
        return CLOSED_PIPE
    if isinstance(error, WorkersError):
        say_error(str(error))
        return error.exit_status
    _say(report(error, argv))
    return OWN_FAULT


def say_error(message: str) -> None:
    """Write one error to stderr, marked as such, with credentials in URLs struck out."""
    _say(f"workers: error: {without_credentials(message)}")


def let_go_of_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush cannot fail once the reader has gone."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        sys.stdout = None  # stdout is no file (a captured stream): drop it


def report(error: BaseException, argv: Sequence[str]) -> str:
    """Build the report of a fault of our own: versions, the command without its values, the traceback."""
    import platform

    trace = "".join(traceback.format_exception(error)).rstrip()
    return "\n".join(
        [
            "workers: this is a fault of netscript-workers itself, not of your configuration.",
            "workers: please send this report to its maintainers:",
            "",
            f"  version   {version()}",
            f"  python    {platform.python_implementation()} {platform.python_version()}",
            f"  platform  {platform.platform()}",
            f"  command   workers {' '.join(_without_values(argv))}",
            "",
            without_credentials(trace),
        ]
    )


def version() -> str:
    """Return the installed version of this package."""
    from importlib import metadata

    try:
        return metadata.version("netscript-workers")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"


def without_credentials(text: str) -> str:
    """Replace user and password in every URL of `text`."""
    return _CREDENTIALS.sub(r"\g<scheme>***@", text)


def _without_values(argv: Sequence[str]) -> list[str]:
    """Keep the command's words and the names of options; a value may be a payload or a secret."""
    kept = [word.partition("=")[0] for word in argv if word.startswith("-")]
    return [*[word for word in argv[:1] if not word.startswith("-")], *kept]


def _requested(error: SystemExit) -> int:
    if error.code is None:
        return 0
    if isinstance(error.code, int):
        return error.code
    _say(str(error.code))
    return 1


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        return  # stderr is closed: nobody is there to be told
