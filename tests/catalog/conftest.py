from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from netscript_workers.catalog import Catalog, CatalogSources, scan
from netscript_workers.domain.target import Concept, Declaration, Source
from support.modules import Modules, modules_in


class Project:
    """A jobs and a tasks directory, and a config that names `declarations`."""

    def __init__(self, jobs: Modules, tasks: Modules) -> None:
        self.jobs = jobs
        self.tasks = tasks
        self.declarations: list[Declaration] = []

    def declare(self, id: str, entrypoint: str, concept: Concept = Concept.JOB, **said: Any) -> None:
        line = len(self.declarations) + 1
        self.declarations.append(
            Declaration(
                id=id,
                concept=concept,
                source=Source.CONFIG,
                file="/etc/config.toml",
                line=line,
                entrypoint=entrypoint,
                **said,
            )
        )

    def scan(self, **inherited: Any) -> Catalog:
        return scan(
            CatalogSources(
                jobs_dir=self.jobs.root,
                tasks_dir=self.tasks.root,
                declarations=tuple(self.declarations),
                **inherited,
            )
        )

    def problem(self, **inherited: Any) -> Any:
        """The one problem there is."""
        (problem,) = self.scan(**inherited).problems
        return problem


@pytest.fixture
def project(tmp_path: Path):
    with modules_in(tmp_path / "jobs") as jobs, modules_in(tmp_path / "tasks") as tasks:
        yield Project(jobs, tasks)


@pytest.fixture
def handler_text() -> Callable[[str], str]:
    def text(id: str, options: str = "") -> str:
        return f"from netscript_workers import job\n\n@job({id!r}{options})\nasync def run(ctx): ...\n"

    return text
