"""The mode `program`: a task's attempt is a program of its own, which ends with all that it started."""

import asyncio
import contextlib
import logging
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Generator
from typing import Final

from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.command import CommandSpec
from netscript_workers.domain.execution import Execution, LogLine
from netscript_workers.domain.outcome import Cause, Kind, Outcome, Usage
from netscript_workers.domain.target import ProgramMode, Target
from netscript_workers.errors import PermissionsUnenforceableError, WorkersError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import SlotReport
from netscript_workers.ports.runtime import Commands
from netscript_workers.ports.sandbox import Confined, Sandbox
from netscript_workers.processes.ending import program_ending
from netscript_workers.processes.kept import Child
from netscript_workers.processes.memory import family_bytes
from netscript_workers.processes.spawn_messages import Exited
from netscript_workers.processes.spawner import Spawner
from netscript_workers.runners.limit_words import with_limit_told, with_reached_told
from netscript_workers.runners.program_output import MAX_RESULT_BYTES, ProgramOutput
from netscript_workers.runners.program_refusal import explained

TERM_GRACE_MS: Final = 2_000
KILL_SECONDS: Final = 5.0
_LAST_WORDS: Final = 500

_log = logging.getLogger(__name__)


class ProgramRunner:
    """Runs tasks. `commands` says how each is started.

    `sandbox` confines them; without one, none is. `term_grace_ms` is what a program that must end gets between SIGTERM
    and SIGKILL. `ready` false: the process that starts programs is made with the first one, not before. With `owns_sandbox` its
    end is the end of `sandbox`, too.
    """

    def __init__(
        self,
        commands: Commands,
        *,
        sandbox: Sandbox | None = None,
        term_grace_ms: int = TERM_GRACE_MS,
        ready: bool = True,
        owns_sandbox: bool = True,
    ) -> None:
        self._commands = commands
        self._sandbox = sandbox
        self._owns_sandbox = owns_sandbox
        self._grace = term_grace_ms / 1000
        self._ready = ready
        self._spawner = Spawner(sandbox.modules if sandbox is not None else ())
        self._runs: dict[Child, tuple[Execution, float]] = {}
        self._spool: str | None = None

    async def start(self) -> None:
        """Have the process that programs are started by."""
        await self._spawner.start(launch=self._ready)

    async def stop(self, grace_ms: int) -> None:
        """End every program of this runner."""
        await self._spawner.stop(grace_ms)
        if self._sandbox is not None and self._owns_sandbox:
            await self._sandbox.stop()
        if self._spool is not None:
            shutil.rmtree(self._spool, ignore_errors=True)
            self._spool = None

    def renew(self, commands: Commands) -> None:
        """Start programs as `commands` says from now on."""
        self._commands = commands

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt of a task; see the port."""
        with self._payload_file(execution.payload) as payload_file:
            try:
                spec = self._commands.command(target, execution, payload_file)
            except WorkersError as error:
                hint = getattr(error, "hint", "")
                return outcomes.failed(f"{error}; {hint}" if hint else str(error), retry=False)
            if self._sandbox is None:
                return await self._run(execution, target, spec, observer, None)
            try:
                confined = await self._sandbox.confine(target, spec)
            except PermissionsUnenforceableError as error:
                return outcomes.failed(str(error), Cause.PERMISSION_DENIED, retry=False)
            try:
                for gap in confined.not_enforced:
                    _warn(observer, f"not enforced: {gap}")
                return await self._run(execution, target, confined.spec, observer, confined)
            finally:
                await confined.close()

    def slots(self) -> list[SlotReport]:
        """Tell what runs now."""
        now = time.monotonic()
        return [
            SlotReport(
                mode=ProgramMode.PROGRAM.value,
                pid=child.pid,
                execution_id=execution.id,
                target=execution.target,
                busy_ms=round((now - started) * 1000),
                memory=family_bytes(child.pid) if child.pid else None,
            )
            for child, (execution, started) in self._runs.items()
        ]

    async def _run(
        self,
        execution: Execution,
        target: Target,
        spec: CommandSpec,
        observer: RunObserver,
        confined: Confined | None,
    ) -> Outcome:
        child = await self._spawner.spawn(spec)
        output = ProgramOutput(
            asyncio.get_running_loop(),
            child.stdout,
            child.stderr,
            observer,
            limit=target.limits.output,
            on_excess=child.kill,
        )
        self._runs[child] = (execution, time.monotonic())
        try:
            await asyncio.wait({child.ended})
        except asyncio.CancelledError:
            if (
                not child.ended.done()
            ):  # else it had ended before it was to be stopped: what it reported counts
                await self._end(child, execution)
                output.finish()
                raise
        finally:
            del self._runs[child]
            if not child.ended.done():
                output.close()
        output.finish()
        exited = child.ended.result()
        if child.refused is not None:
            return explained(child.refused, spec, self._commands.missing_tool(target))
        if exited is None:
            return _crashed()
        if output.is_excessive:
            return outcomes.failed(
                f"the program wrote more than its limits.output of {target.limits.output} bytes",
                usage=Usage(exited.max_rss or None, exited.cpu_ms),
            )
        denied = confined.denied(output.last_errors) if confined is not None and exited.status else None
        outcome = _outcome(exited, output, observer, denied)
        outcome = with_limit_told(outcome, target.limits, output.last_errors)
        return outcome if confined is None else with_reached_told(outcome, confined.reached)

    async def _end(self, child: Child, execution: Execution) -> None:
        """End a program: ask its group, wait a moment, kill the whole tree. A second cancellation kills at once."""
        child.signal(signal.SIGTERM)
        try:
            await asyncio.wait({child.ended}, timeout=self._grace)
        finally:
            if not child.ended.done():
                child.kill()
        await asyncio.wait({child.ended}, timeout=KILL_SECONDS)
        if not child.ended.done():
            _log.error(
                "the program of execution %s (process %d) and what it started could not be ended within %g s",
                execution.id,
                child.pid,
                KILL_SECONDS,
            )

    @contextlib.contextmanager
    def _payload_file(self, payload: bytes) -> Generator[str | None]:
        """Have a file with the payload for as long as the run lasts, when it is too big for an environment."""
        if not self._commands.needs_file(payload):
            yield None
            return
        if self._spool is None:
            self._spool = tempfile.mkdtemp(prefix="netscript-workers-")
        fd, path = tempfile.mkstemp(prefix="payload-", suffix=".json", dir=self._spool)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(payload)
            yield path
        finally:
            with contextlib.suppress(FileNotFoundError):  # the program may have taken it away
                os.unlink(path)  # noqa: PTH108 - beside the os calls above


def _crashed() -> Outcome:
    return outcomes.crashed(
        "the process that kept the program was killed from outside, and the program was ended with it", None
    )


def _outcome(exited: Exited, output: ProgramOutput, observer: RunObserver, denied: str | None) -> Outcome:
    usage = Usage(exited.max_rss or None, exited.cpu_ms)
    result = output.result()
    if output.result_was_too_long:
        _warn(observer, f"the last line is over {MAX_RESULT_BYTES} bytes, so it is not the result")
    if exited.survivors:
        _warn(observer, f"{exited.survivors} processes that the program started could not be ended")
    if exited.status == 0:
        return Outcome(kind=Kind.SUCCEEDED, result=result, usage=usage, exit_code=0)
    words = f"the program {program_ending(exited.status)}"
    if exited.status == -signal.SIGKILL:
        words += ": somebody ended it from outside, or the kernel did for want of memory (its log, `dmesg`, says so)"
    if output.last_words:
        words += f": {output.last_words[:_LAST_WORDS]}"
    if denied is not None:
        words = f"{denied} ({words})"
    if exited.status < 0:
        return Outcome(
            kind=Kind.CRASHED, cause=Cause.CRASH, error=words, exit_code=exited.status, usage=usage
        )
    return Outcome(
        kind=Kind.FAILED,
        cause=Cause.FAILURE if denied is None else Cause.PERMISSION_DENIED,
        error=words,
        result=result,
        exit_code=exited.status,
        usage=usage,
    )


def _warn(observer: RunObserver, text: str) -> None:
    observer.lines([LogLine(time.time_ns() // 1_000_000, "log", "warning", text)])
