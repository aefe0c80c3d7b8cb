"""The mode `confined`: a source of slots for each set of variables that jobs may see, so that none holds another's secret."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from typing import Final

import msgspec

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.execution import Execution
from netscript_workers.domain.outcome import Cause, Outcome, crashed, failed
from netscript_workers.domain.target import ConfinedMode, Target
from netscript_workers.errors import SlotError
from netscript_workers.ports.observer import RunObserver
from netscript_workers.ports.runner import Runner, SlotReport
from netscript_workers.ports.sandbox import JobSandbox

MOST_KEPT: Final = 4
IDLE_MS: Final = 600_000
_END_MS: Final = 5_000


class GrantedJobs(msgspec.Struct, frozen=True, kw_only=True):
    """Jobs with permissions that may see the same variables: their ids, their handlers, and what their processes start with."""

    ids: frozenset[str]
    handlers: Sequence[HandlerRef]
    environment: Mapping[str, str]

    @property
    def names(self) -> frozenset[str]:
        """The variables, which tell one such set from another."""
        return frozenset(self.environment)


class GrantedRunner:
    """Runs each job with permissions in a process forked from one that has loaded only jobs with the same variables.

    `make` makes the runner of one set. Up to `MOST_KEPT` sets are started at once and kept; where there are more, each starts
    with its first run and ends when it has had none for `idle_ms`. With `owns_sandbox` its end is the end of `sandbox`, too.
    """

    mode: Final = ConfinedMode.CONFINED

    def __init__(
        self,
        jobs: Sequence[GrantedJobs],
        make: Callable[[GrantedJobs], Runner],
        sandbox: JobSandbox,
        *,
        owns_sandbox: bool = True,
        idle_ms: int = IDLE_MS,
    ) -> None:
        self._idle_ms = idle_ms
        self._sandbox = sandbox
        self._owns_sandbox = owns_sandbox
        self._sets = Sets(jobs, make, idle_ms)
        self._left: dict[asyncio.Task[None], Sets] = {}

    async def start(self) -> None:
        """Start the sets that are kept, if there are few; raises `SlotError`."""
        await self._sets.start()

    async def stop(self, grace_ms: int) -> None:
        """End every process, those of the code before a reload included."""
        left = dict(self._left)
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left, timeout=2 * _END_MS / 1000)
        for sets in (*left.values(), self._sets):
            await sets.stop(grace_ms)
        if self._owns_sandbox:
            await self._sandbox.stop()

    async def prepare(self, jobs: Sequence[GrantedJobs], make: Callable[[GrantedJobs], Runner]) -> "Sets":
        """Return the sets of another plan, those started that are kept, or in use now; raises `SlotError`."""
        sets = Sets(jobs, make, self._idle_ms)
        await sets.start(also=self._sets.up)
        return sets

    def renew(self, sets: "Sets") -> None:
        """Run what begins from now on in `sets`; what is under way ends where it is, and then so does that."""
        before, self._sets = self._sets, sets
        task = asyncio.get_running_loop().create_task(before.leave(), name="end of the jobs before")
        self._left[task] = before
        task.add_done_callback(self._left.pop)

    async def run(
        self, execution: Execution, target: Target, deadline: int, observer: RunObserver
    ) -> Outcome:
        """Run one attempt in the set of its job; see the port."""
        one = self._sets.by_id.get(target.id)
        if one is None:
            words = "in this process; if it is new, reload the daemon (SIGHUP)"
            return failed(
                f"no handler is known for job {target.id!r} with permissions {words}", Cause.EXCEPTION
            )
        async with one.in_use():
            try:
                await one.start()
            except SlotError as error:  # of this set alone: the others can go on
                return crashed(
                    f"the process that runs of this job are forked from did not start: {error}", None
                )
            return await one.runner.run(execution, target, deadline, observer)

    def slots(self) -> list[SlotReport]:
        """Tell what runs now."""
        everything = (self._sets, *self._left.values())
        return [report for sets in everything for one in sets.all for report in one.runner.slots()]


class Sets:
    """The sets of one plan."""

    def __init__(
        self, jobs: Sequence[GrantedJobs], make: Callable[[GrantedJobs], Runner], idle_ms: int
    ) -> None:
        keeps = len(jobs) <= MOST_KEPT
        self.all = [_Set(each.names, make(each), None if keeps else idle_ms) for each in jobs]
        self.by_id = {id: one for each, one in zip(jobs, self.all, strict=True) for id in each.ids}

    @property
    def up(self) -> frozenset[frozenset[str]]:
        """The names of those sets that have their process now."""
        return frozenset(one.names for one in self.all if one.is_up)

    async def start(self, also: frozenset[frozenset[str]] = frozenset()) -> None:
        """Start those that are kept, and those with the names `also`; all or none, else raises `SlotError`."""
        wanted = [one for one in self.all if one.is_kept or one.names in also]
        try:
            await asyncio.gather(*(one.start() for one in wanted))
        except BaseException:
            await self.stop(_END_MS)
            raise
        for one in wanted:
            one.rest()

    async def stop(self, grace_ms: int) -> None:
        """End all."""
        await asyncio.gather(*(one.stop(grace_ms) for one in self.all))

    async def leave(self) -> None:
        """End each after its last run."""
        await asyncio.gather(*(one.leave(_END_MS) for one in self.all))


class _Set:
    """One set and its process, which starts when first wanted; `idle_ms` None: it is kept, else it ends after that unused."""

    def __init__(self, names: frozenset[str], runner: Runner, idle_ms: int | None) -> None:
        self.names = names
        self.runner = runner
        self._unused = asyncio.Event()
        self._unused.set()
        self._idle_ms = idle_ms
        self._users = 0
        self._starting: asyncio.Task[None] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_kept(self) -> bool:
        """Whether it starts with the daemon and stays."""
        return self._idle_ms is None

    @property
    def is_up(self) -> bool:
        """Whether it has its process, or is about to."""
        return self._starting is not None and not _has_failed(self._starting)

    @contextlib.asynccontextmanager
    async def in_use(self) -> AsyncGenerator[None]:
        """Keep it from ending as unused."""
        self._users += 1
        self._unused.clear()
        self._wake()
        try:
            yield
        finally:
            self._users -= 1
            if not self._users:
                self._unused.set()
                self.rest()

    async def start(self) -> None:
        """Have its process; raises `SlotError`. Whoever stops waiting for it does not stop it."""
        if self._starting is None or _has_failed(self._starting):
            self._starting = asyncio.get_running_loop().create_task(self._start(), name="start of a source")
        starting = self._starting
        await asyncio.wait({starting})
        if starting.cancelled():
            raise SlotError("it was stopped")
        starting.result()

    def rest(self) -> None:
        """End it in a while, if nobody uses it until then."""
        self._wake()
        if self._idle_ms is not None and self.is_up and not self._users:
            self._timer = asyncio.get_running_loop().call_later(self._idle_ms / 1000, self._end_unused)

    async def stop(self, grace_ms: int) -> None:
        """End its process and all runs. Idempotent."""
        self._wake()
        starting, self._starting = self._starting, None
        if starting is not None and not starting.done():
            starting.cancel()
            await asyncio.wait({starting})
        ending = self._end(grace_ms)
        await asyncio.wait({ending})  # whoever stops waiting for the end does not stop it
        ending.result()

    async def leave(self, grace_ms: int) -> None:
        """End its process once nobody uses it."""
        await self._unused.wait()
        await self.stop(grace_ms)

    def _wake(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _start(self) -> None:
        if self._ending is not None:
            await asyncio.wait({self._ending})
        await self.runner.start()

    def _end_unused(self) -> None:
        self._timer = self._starting = None
        self._end(_END_MS)

    def _end(self, grace_ms: int) -> asyncio.Task[None]:
        if self._ending is None or self._ending.done():
            loop = asyncio.get_running_loop()
            self._ending = loop.create_task(self.runner.stop(grace_ms), name="end of a source")
        return self._ending


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
