"""What changes in the runtime directory while a daemon starts or reloads is taken over too."""

import asyncio
import json

from netscript_workers import config
from netscript_workers.catalog import LiveCatalog
from netscript_workers.wiring.project import Project, load_project
from netscript_workers.wiring.runtime_watch import RuntimeWatch
from netscript_workers.worker.faults import Faults

PATIENCE_S = 30


def project_in(folder) -> Project:
    (folder / "config.toml").write_text("")
    (folder / "workers" / "runtime" / "tasks").mkdir(parents=True, exist_ok=True)
    (folder / "workers" / "tasks").mkdir(exist_ok=True)
    (folder / "workers" / "tasks" / "a.sh").write_text("echo {}\n")
    return load_project(config.LoadOptions(cwd=folder, environ={}))


def define(project: Project, *ids: str, text: str | None = None) -> None:
    tasks = [{"id": id, "type": "shell", "entrypoint": "a.sh"} for id in ids]
    path = project.settings.runtime_dir / "tasks" / "v1.0.0.json"
    path.write_text(text or json.dumps({"version": "1.0.0", "tasks": tasks}))


async def until(holds) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.02)


async def test_a_task_defined_between_the_reading_and_the_first_look_is_taken_over(tmp_path):
    project = project_in(tmp_path)
    define(project, "early")
    live = LiveCatalog(project.catalog)
    watch = RuntimeWatch(project.settings, project.base, live, frozenset({"default"}), Faults())
    await watch.start()
    try:
        await until(lambda: "early" in live.targets)
        again = load_project(project.options)
        define(project, "early", "later")  # after a reload has read the directory, before it is applied
        live.exchange(again.catalog)
        watch.renew(again.settings, again.base, frozenset({"default"}))
        await until(lambda: "later" in live.targets)
    finally:
        await watch.stop(1_000)


async def test_a_broken_file_that_was_reported_at_the_start_is_not_reported_again(tmp_path, caplog):
    project = project_in(tmp_path)
    define(project, text="{")
    project = project_in(tmp_path)
    live = LiveCatalog(project.catalog)
    watch = RuntimeWatch(project.settings, project.base, live, frozenset({"default"}), Faults())
    await watch.start()
    try:
        await until(lambda: watch._seen is not None)
        assert project.problems
        assert caplog.text == ""
        define(project, "mended")
        await until(lambda: "mended" in live.targets)
    finally:
        await watch.stop(1_000)
