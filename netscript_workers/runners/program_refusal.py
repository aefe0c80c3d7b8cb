"""Why a program could not be started, and what to do about it."""

import errno
import os
from typing import Final

from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.outcome import Cause, Kind, Outcome
from netscript_workers.ports.runtime import Tool
from netscript_workers.processes.spawn_messages import Refused

NOT_FOUND: Final = 127
NOT_EXECUTABLE: Final = 126
_OF_THE_SHELL: Final = {
    errno.ENOENT: NOT_FOUND,
    errno.EACCES: NOT_EXECUTABLE,
    errno.ENOEXEC: NOT_EXECUTABLE,
}


def explained(refused: Refused, spec: CommandSpec, missing: Tool | None) -> Outcome:
    """Return the outcome of a run whose program was not started. `missing` is the tool that is not on this host."""
    return Outcome(
        kind=Kind.FAILED,
        cause=Cause.FAILURE,
        error=_words(refused, spec, missing),
        exit_code=_OF_THE_SHELL.get(refused.number) if refused.step == "exec" else None,
    )


def _words(refused: Refused, spec: CommandSpec, missing: Tool | None) -> str:
    if refused.step == "cwd":
        return f"the working directory {spec.cwd} cannot be entered: {refused.reason}"
    if refused.step == "confinement":
        return f"the program could not be confined, so it was not started: {refused.reason}"
    if refused.step == "fork":
        return f"no process could be made for the program: {refused.reason}"
    if missing is not None:
        return f"{missing.program} was not found on this host (exit status {NOT_FOUND}): {missing.advice}"
    return _words_of_exec(refused, spec.argv[0])


def _words_of_exec(refused: Refused, program: str) -> str:
    advice = "make it executable (chmod +x), or choose the runtime that runs it as `type`"
    if refused.number == errno.ENOENT:
        there = os.path.exists(program)  # noqa: PTH110 - a name, as the command has it
        why = "its interpreter (the #! line) does not exist" if there else "there is no such program"
        return f"{program} could not be started (exit status {NOT_FOUND}): {why}"
    if refused.number == errno.EACCES:
        return f"{program} may not be executed (exit status {NOT_EXECUTABLE}): {advice}"
    if refused.number == errno.ENOEXEC:
        advice = "a script needs a #! line, or the runtime that runs it as `type`"
        return f"{program} is no program of this machine (exit status {NOT_EXECUTABLE}): {advice}"
    if refused.number == errno.E2BIG:
        return f"{program} could not be started: its arguments and environment are too long for this system"
    return f"{program} could not be started: {refused.reason}"
