"""Takes changes of the runtime directory into a running worker, within a second."""

import asyncio
import logging
from pathlib import Path
from typing import Final

from netscript_workers import config
from netscript_workers.catalog import Catalog, LiveCatalog, overlay
from netscript_workers.domain.problem import Severity
from netscript_workers.wiring.project import sources_of
from netscript_workers.wiring.telling import told
from netscript_workers.worker.faults import Faults, end

LOOK_SECONDS: Final = 0.4

log = logging.getLogger("netscript_workers.runtime")


class RuntimeWatch:
    """Looks at the directory a few times a second; what is broken is reported, and the last good version stays. A `Service`.

    `base` is the project without the directory. `topics` are those that this process serves: a target in another one waits for a
    reload, and the log says so.
    """

    name = "runtime directory"

    def __init__(
        self,
        settings: config.Settings,
        base: Catalog,
        live: LiveCatalog,
        topics: frozenset[str],
        faults: Faults,
    ) -> None:
        self._live = live
        self._faults = faults
        self._task: asyncio.Task[None] | None = None
        self.renew(settings, base, topics)

    def renew(self, settings: config.Settings, base: Catalog, topics: frozenset[str]) -> None:
        """Look over another project from now on, whose runtime directory was read before."""
        self._settings = settings
        self._root = settings.runtime_dir
        self._base = base
        self._sources = sources_of(settings)
        self._topics = topics
        # What is there may have changed since it was read: the first look reads it again.
        self._seen: tuple[tuple[str, int, int, int], ...] | None = None

    async def start(self) -> None:
        """Begin to look."""
        if self._task is None:
            self._task = self._faults.spawn(self._watch(), self.name)

    async def stop(self, grace_ms: int) -> None:
        """Look no more."""
        task, self._task = self._task, None
        await end(task, grace_ms)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            now = config.fingerprint(self._root)
            if now != self._seen:
                is_first, self._seen = self._seen is None, now
                self._take(is_first=is_first)

    def _take(self, *, is_first: bool) -> None:
        layer = config.read_runtime_dir(self._root)
        catalog, current = overlay(self._base, layer, self._sources), self._live.current
        if is_first and (catalog.targets, catalog.problems) == (current.targets, current.problems):
            return
        new = [problem for problem in catalog.problems if problem not in self._base.problems]
        for problem in new:
            level = logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING
            log.log(level, "%s", told(problem))
        if any(problem.severity is Severity.ERROR for problem in new):
            log.error("%s is not taken over as it is now; the last good version stays", self._root)
            return
        before = current.targets
        self._live.exchange(catalog)
        more = sorted(catalog.targets.keys() - before.keys())
        fewer = sorted(before.keys() - catalog.targets.keys())
        other = sorted(
            one for one in catalog.targets.keys() & before.keys() if catalog.targets[one] != before[one]
        )
        log.info(
            "took over %s: added %s; changed %s; removed %s",
            ", ".join(Path(file).name for file in layer.files) or "an empty runtime directory",
            *(", ".join(ids) or "nothing" for ids in (more, other, fewer)),
        )
        for target_id in more:
            topic = catalog.targets[target_id].topic
            if topic not in self._topics:
                log.warning(
                    "%s is in the topic %s, which this worker serves after a reload (SIGHUP) only",
                    target_id,
                    topic,
                )
