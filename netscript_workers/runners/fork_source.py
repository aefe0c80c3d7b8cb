"""Where slots come from: keeps one zygote alive for the runners that share it."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from typing import Final

from netscript_workers.authoring.loading import HandlerRef
from netscript_workers.domain.command import Confinement
from netscript_workers.errors import SlotError
from netscript_workers.processes.orphans import end_orphans
from netscript_workers.processes.prctl import ProcessControl
from netscript_workers.processes.service_manager import VARIABLES
from netscript_workers.runners.messages import Ready, Setup
from netscript_workers.runners.slot_process import SlotProcess
from netscript_workers.runners.zygote_link import ZygoteLink

IMPORT_MS: Final = 120_000
MARKER: Final = "NETSCRIPT_WORKERS_FAMILY"
_BACKOFF_SECONDS: Final = (0.0, 0.1, 0.5, 2.0, 5.0)
_STEADY_SECONDS: Final = 60.0  # a zygote that lived that long starts the count of restarts anew
_REAP_MS: Final = 1_000
_SWEEP_SECONDS: Final = 5.0

_log = logging.getLogger(__name__)


class ForkSource:
    """Starts the zygote with its first user, ends it with its last, replaces it when it dies.

    `root` is the jobs directory. `environment` is what slots get (None: this process's own, without a service
    manager's words). Where the job modules make forking unsafe, slots are fresh interpreters instead, started by a
    zygote that has imported nothing, and the log says so. `modules` are those that confinements of its slots name. Between
    `start` and `stop` this process adopts what is orphaned below it; sources that live at one time share their `adoption`.
    """

    def __init__(
        self,
        handlers: Sequence[HandlerRef],
        root: str,
        *,
        environment: Mapping[str, str] | None = None,
        modules: Sequence[str] = (),
        adoption: "Adoption | None" = None,
    ) -> None:
        self._modules = tuple(modules)
        self._handlers = tuple(handlers)
        self._root = root
        self._given = environment
        self._marker = secrets.token_hex(16)
        own = {name: value for name, value in os.environ.items() if name not in VARIABLES}
        self._environment = {**(own if environment is None else environment), MARKER: self._marker}
        self._users: set[object] = set()
        self.adoption = adoption or Adoption()
        self._changing = asyncio.Lock()
        self._link: ZygoteLink | None = None
        self._up = asyncio.Event()
        self._failure: str | None = None
        self._recovery: asyncio.Task[None] | None = None
        self._started_at = 0.0
        self._restarts = 0
        self._forks = True
        self._is_retired = False
        self.errors: dict[str, str] = {}

    @property
    def zygote_pid(self) -> int:
        """The process id of the zygote; 0 while there is none."""
        return self._link.pid if self._link else 0

    @property
    def forks(self) -> bool:
        """Whether slots are forked; False: each is a fresh interpreter, because forking would be unsafe."""
        return self._forks

    async def start(self, user: object) -> None:
        """Have a zygote for `user`; raises `SlotError` when there can be none. Idempotent for each user."""
        async with self._changing:
            if not self._users:
                if sys.platform == "win32":
                    raise SlotError(
                        'slots of their own need Linux or macOS; on Windows set `runtime = "in-process"` and give jobs '
                        "neither permissions nor limits, or run the daemon in WSL"
                    )
                self.adoption.hold()
                try:
                    await self._launch()
                except BaseException:
                    self.adoption.release()
                    raise
            self._users.add(user)

    async def stop(self, user: object, grace_ms: int) -> None:
        """Let go of the zygote; with its last user it ends, and every slot with it. Idempotent."""
        async with self._changing:
            if user not in self._users:
                return
            self._users.discard(user)
            if self._users:
                return
            if self._recovery is not None:
                self._recovery.cancel()
                await asyncio.wait({self._recovery})
                self._recovery = None
            link, self._link = self._link, None
            self._up.clear()
            if link is not None:
                await self._end(link, grace_ms)
            self.adoption.release()

    def successor(self, handlers: Sequence[HandlerRef], root: str) -> "ForkSource":
        """Return an unstarted source of other handlers, or of the same ones as they are on disk now."""
        return ForkSource(
            handlers, root, environment=self._given, modules=self._modules, adoption=self.adoption
        )

    def retire(self) -> list[SlotProcess]:
        """Make no slot any more, nor a zygote should this one die; what runs goes on until `stop`.

        Returns the slots that live.
        """
        self._is_retired = True
        self._up.set()  # whoever waits for a slot looks to the successor
        return self._link.slots if self._link is not None else []

    async def ready(self) -> None:
        """Wait until slots can be made again after the zygote died; raises `SlotError` when it cannot be kept alive."""
        if self._failure is None and self._users:
            await self._up.wait()
        if self._is_retired:
            return
        if self._failure is not None:
            raise SlotError(self._failure)
        if self._link is None:
            raise SlotError("slots were asked for outside the life of their runner")

    def fork(self, *, once: bool, confinement: Confinement | None = None) -> SlotProcess | None:
        """Make a slot, at once, held to `confinement`; None while there is no zygote (`ready` waits for it)."""
        if self._link is None or not self._link.alive or self._is_retired:
            return None
        return self._link.fork(once=once, confinement=confinement)

    async def _launch(self) -> None:
        ready = await self._launch_one(load=self._forks)
        if ready.unsafe is not None:
            _log.warning(
                "slots are not forked but started as fresh interpreters (slower, and with more memory each), since "
                "forking would be unsafe: %s",
                ready.unsafe,
            )
            self._forks = False
            unsafe, self._link = self._link, None
            if unsafe is not None:
                await self._end(unsafe, _REAP_MS)
            await self._launch_one(load=False)
        self._failure = None
        self._up.set()

    async def _launch_one(self, *, load: bool) -> Ready:
        setup = Setup(self._handlers, self._root, load, self._modules)
        link = ZygoteLink(setup, self._environment, self._on_lost)
        try:
            ready = await link.start(IMPORT_MS)
        except BaseException:
            await self._end(link, 0)
            raise
        if not link.alive:  # it died between its word and our hearing of it: nobody else will notice
            await self._end(link, 0)
            raise SlotError(
                f"the process that slots are forked from {link.ending()} right after it had imported the job modules"
            )
        self._link = link
        self._started_at = asyncio.get_running_loop().time()
        if load:
            self.errors = ready.errors
        return ready

    async def _end(self, link: ZygoteLink, grace_ms: int) -> None:
        pids = link.slot_pids()
        await link.close(grace_ms)
        await self._sweep(pids)

    async def _sweep(self, slot_pids: frozenset[int]) -> None:
        left = await end_orphans(f"{MARKER}={self._marker}", slot_pids, _SWEEP_SECONDS)
        if left:
            _log.error("processes that slots left behind could not be ended: %s", left)

    def _on_lost(self) -> None:
        self._up.clear()
        link, self._link = self._link, None
        if link is not None:
            self._recovery = asyncio.get_running_loop().create_task(
                self._recover_or_fail(link), name="zygote recovery"
            )

    async def _recover_or_fail(self, link: ZygoteLink) -> None:
        """Recover; whatever prevents that is told to every run, which would else wait for ever."""
        try:
            await self._recover(link)
        except Exception as error:  # noqa: BLE001 - a fault here is said, and told to every run
            _log.exception("the process that slots are forked from could not be replaced; please report this")
            self._failure = f"no slot can be started: {type(error).__name__}: {error}; restart the daemon"
            self._up.set()

    async def _recover(self, link: ZygoteLink) -> None:
        """End what the dead zygote left, let its runs end as crashed, and start another one, ever later."""
        pids = link.slot_pids()
        await link.reap(_REAP_MS)
        await self._sweep(pids)
        link.lose_slots()
        if self._is_retired:
            _log.error(
                "the process that slots of the code before a reload came from %s; its runs have failed",
                link.ending(),
            )
            return
        loop = asyncio.get_running_loop()
        if loop.time() - self._started_at > _STEADY_SECONDS:
            self._restarts = 0
        while self._restarts < len(_BACKOFF_SECONDS):
            delay = _BACKOFF_SECONDS[self._restarts]
            self._restarts += 1
            _log.error(
                "the process that slots are forked from %s; its runs have failed; starting another one in %g s "
                "(restart %d of %d)",
                link.ending(),
                delay,
                self._restarts,
                len(_BACKOFF_SECONDS),
            )
            await asyncio.sleep(delay)
            try:
                await self._launch()
            except SlotError as error:
                _log.error("%s", error)
            else:
                return
        self._failure = (
            f"no slot can be started: the process that slots are forked from ended {self._restarts} times in a row; "
            "see the log, then restart the daemon"
        )
        _log.error("%s", self._failure)
        self._up.set()


class Adoption:
    """Has this process adopt what is orphaned below it for as long as anybody asks for it."""

    def __init__(self) -> None:
        self._holders = 0
        self._process: ProcessControl | None = None

    def hold(self) -> None:
        """Ask for it."""
        self._holders += 1
        if self._process is None:
            self._process = ProcessControl()
            self._process.adopt_orphans()

    def release(self) -> None:
        """Ask for it no more."""
        self._holders -= 1
        if not self._holders and self._process is not None:
            self._process.leave_orphans()
            self._process = None
