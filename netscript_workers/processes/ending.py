"""How a process ended, in words."""

import os
import signal


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
