"""One run that the sandbox has confined: what is kept for it, what it was denied, and what it went up against."""

import asyncio
import shutil
from collections.abc import Sequence

from netscript_workers.domain.command import CommandSpec
from netscript_workers.sandbox.denials import Denial, found_in, told
from netscript_workers.sandbox.gaps import Gap
from netscript_workers.sandbox.grants import Grants
from netscript_workers.sandbox.leaf import Leaf
from netscript_workers.sandbox.needs import Start
from netscript_workers.sandbox.policy import covers_read, covers_write
from netscript_workers.sandbox.proxy import Pass, Proxy


class ConfinedRun:
    """One run's confinement. See `ports/sandbox.py`."""

    def __init__(  # noqa: PLR0913 - all that is kept for one run
        self,
        spec: CommandSpec,
        gaps: Sequence[Gap] = (),
        grants: Grants | None = None,
        start: Start | None = None,
        given: Pass | None = None,
        proxy: Proxy | None = None,
        *,
        has_view: bool = False,
        private_tmp: bytes = b"",
        leaf: Leaf | None = None,
    ) -> None:
        self._leaf = leaf
        self._spec = spec
        self._gaps = tuple(gaps)
        self._grants = grants
        self._start = start
        self._pass = given
        self._proxy = proxy
        self._has_view = has_view
        self._private_tmp = private_tmp

    @property
    def spec(self) -> CommandSpec:
        """The command to start."""
        return self._spec

    @property
    def not_enforced(self) -> tuple[str, ...]:
        """What was asked for and is not enforced."""
        return tuple(str(gap) for gap in self._gaps)

    def denied(self, errors: Sequence[str]) -> str | None:
        """Say what the run was denied, as far as it is known: the proxy's refusals and the watcher's reports are certain."""
        grants, start = self._grants, self._start
        if grants is None or start is None:
            return None
        denials = [Denial("net", host, certain=True) for host in self._pass.refused] if self._pass else []
        denials += found_in(
            errors,
            cwd=self._spec.cwd,
            may_read=lambda path: covers_read(grants, start.needs, path, has_view=self._has_view),
            may_write=lambda path: covers_write(grants, path, has_view=self._has_view),
        )
        return told(denials) if denials else None

    def reached(self) -> str | None:
        """Say which limit the run as a whole went up against."""
        return self._leaf.reached() if self._leaf is not None else None

    async def close(self) -> None:
        """End the run's control group and way out, and its directory for temporary files where it has no view. Idempotent."""
        if self._leaf is not None:
            self._leaf.end()
        if self._private_tmp:  # its watcher does that too, unless it was killed
            await asyncio.to_thread(shutil.rmtree, self._private_tmp, ignore_errors=True)
        if self._pass is not None and self._proxy is not None:
            await self._proxy.withdraw(self._pass)
