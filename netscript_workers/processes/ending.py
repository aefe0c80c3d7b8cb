"""How a process ended, in words."""

import os
import signal
from typing import Final

_SHELL_SIGNALS: Final = 128  # a shell's exit status for a command that a signal killed is this and its number
_MEANINGS: Final = {
    126: "a command was found and could not be executed (not executable, or no program of this machine)",
    127: "a command was not found",
}


def exit_code(status: int) -> int:
    """Turn a wait status into an exit status, or minus the signal's number."""
    return os.waitstatus_to_exitcode(status)


def ending_in_words(code: int) -> str:
    """Say what `code` (an exit status, or minus a signal's number) means: `killed by SIGSEGV (segmentation fault)`."""
    if code >= 0:
        return f"ended with exit status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        return f"killed by signal {-code}"
    words = (signal.strsignal(-code) or "").lower()
    return f"killed by {name} ({words})" if words else f"killed by {name}"


def program_ending(code: int) -> str:
    """Say what the end of a program means: its exit status explained, or the signal named."""
    if code < 0:
        return ending_in_words(code)
    if code in _MEANINGS:
        return f"ended with exit status {code}: {_MEANINGS[code]}"
    if code > _SHELL_SIGNALS:
        killed = ending_in_words(_SHELL_SIGNALS - code)
        if not killed.startswith("killed by signal"):
            return f"ended with exit status {code}, a shell's for a command {killed}"
    return f"ended with exit status {code}"
