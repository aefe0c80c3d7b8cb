"""`--watch`: asks once for what has settled, and for nothing else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from netscript_workers.wiring import source_watch
from netscript_workers.wiring.source_watch import SourceWatch, files_below
from netscript_workers.worker.faults import Faults


class Asked:
    """As much of a reloader as the watch looks at."""

    def __init__(self, folder: Path) -> None:
        self.settings = SimpleNamespace(jobs_dir=folder / "jobs", tasks_dir=folder / "tasks")
        self.reasons: list[str] = []

    def ask(self, why: str) -> None:
        self.reasons.append(why)

    async def until(self, count: int) -> list[str]:
        async with asyncio.timeout(20):
            while len(self.reasons) < count:
                await asyncio.sleep(0.005)
        return self.reasons


@pytest.fixture
async def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Asked]:
    monkeypatch.setattr(source_watch, "LOOK_SECONDS", 0.05)
    (tmp_path / "jobs").mkdir()
    (tmp_path / "config.toml").write_text("")
    asked = Asked(tmp_path)
    project = SimpleNamespace(loaded=SimpleNamespace(file=tmp_path / "config.toml"))
    watch = SourceWatch(asked, project, Faults())  # pyright: ignore[reportArgumentType]
    await watch.start()
    await asyncio.sleep(0)
    yield asked
    await watch.stop(1_000)


async def test_a_file_that_comes_changes_or_goes_is_a_reason_each(asked: Asked, tmp_path: Path):
    file = tmp_path / "jobs" / "deep" / "one.py"
    file.parent.mkdir()
    file.write_text("1")
    assert await asked.until(1) == ["one.py changed"]
    file.write_text("22")
    await asked.until(2)
    file.unlink()
    await asked.until(3)
    (tmp_path / "config.toml").write_text("concurrency = 2")
    assert (await asked.until(4))[3] == "config.toml changed"
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "t.sh").write_text("")
    assert (await asked.until(5))[4] == "t.sh changed"


async def test_many_changes_in_one_go_are_one_reason_that_names_a_few(asked: Asked, tmp_path: Path):
    for number in range(6):
        (tmp_path / "jobs" / f"{number}.py").write_text("")
    assert await asked.until(1) == ["0.py, 1.py, 2.py and 3 more changed"]


async def test_a_file_that_is_still_being_written_is_waited_for(asked: Asked, tmp_path: Path):
    file = tmp_path / "jobs" / "big.py"
    for size in range(12):
        file.write_text("x" * size)
        await asyncio.sleep(0.02)
    await asked.until(1)
    seen = len(asked.reasons)
    assert seen < 12  # not one for each piece


def test_what_tools_leave_beside_modules_is_passed_over(tmp_path: Path):
    for name in (
        "a.py",
        "__pycache__/a.pyc",
        ".git/x",
        "node_modules/m/i.js",
        ".a.py.swp",
        "a.py~",
        "b/c.ts",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert sorted(path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path)) == [
        "a.py",
        "b/c.ts",
    ]
