"""No byte of a secret that another job names is to be found by a job, before a reload and after it."""

import asyncio
import json
import shutil
import sys
import uuid
from pathlib import Path

import msgspec
import pytest

from contracts.runners import Seen, execution
from netscript_workers.authoring.loading import forget_modules
from netscript_workers.config import LoadOptions
from netscript_workers.domain.outcome import Kind
from netscript_workers.domain.target import ConfinedMode
from netscript_workers.runners.fleet import Fleet
from netscript_workers.sandbox.checks import probed
from netscript_workers.wiring.confinement import granted_jobs, sandbox_for
from netscript_workers.wiring.project import Project, load_project
from netscript_workers.wiring.worker import fleet_plan, runners_for
from support import searching

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the sandbox needs Linux")
FAR = 1 << 50
IMPORTING = """
import os
import _searching

AT_IMPORT = {names}

def looks(ctx):
    return {{"at_import": AT_IMPORT, **_searching.search()}}
"""


class Yard:
    """A project whose jobs look for secrets, each in a module of its own, and the fleet that runs them."""

    def __init__(self, folder: Path, grants: dict[str, str], patch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.values = {
            name: f"THE-VALUE-OF-{name}-{uuid.uuid4().hex}" for name in ("FIRST", "SECOND", "PASSWORD")
        }
        self.environ = {
            **{name: value for name, value in self.values.items() if name != "PASSWORD"},
            "REDIS_URL": f"redis://:{self.values['PASSWORD']}@127.0.0.1:1/0",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": ":".join(sys.path),
        }
        for name, value in self.environ.items():
            patch.setenv(name, value)
        (folder / "workers" / "jobs").mkdir(parents=True)
        shutil.copy(searching.__file__, folder / "workers" / "jobs" / "_searching.py")
        self.project = self.write(grants)
        self.sandbox = sandbox_for(self.project.settings)
        self.fleet = Fleet(fleet_plan(self.project, self.sandbox))

    def write(self, grants: dict[str, str]) -> Project:
        """Write the jobs and the config, by what each is granted, and read them."""
        text = 'queue_provider = "deno-kv"\n'
        for id, grant in grants.items():
            names = json.loads(grant) if grant.startswith("[") else []
            module = IMPORTING.format(names="[" + ", ".join(f"os.environ[{name!r}]" for name in names) + "]")
            (self.folder / "workers" / "jobs" / f"{id}.py").write_text(module)
            shown = '"none"' if grant == "none" else f"{{ env = {grant} }}"
            text += f'[[jobs]]\nid = "{id}"\nentrypoint = "{id}.py:looks"\npermissions = {shown}\n'
        (self.folder / "config.toml").write_text(text)
        self.project = load_project(LoadOptions(environ=self.environ, cwd=self.folder))
        assert not self.project.problems, self.project.problems
        return self.project

    async def reload(self, grants: dict[str, str]) -> None:
        """Take over other grants as SIGHUP does."""
        plan = fleet_plan(self.write(grants), self.sandbox)
        self.fleet.renew(await self.fleet.prepare(plan))

    async def looks(self, id: str) -> dict[str, list[str]]:
        """Run a job, and return the secrets that it found."""
        target = self.project.targets[id]
        runner = self.fleet.runners[ConfinedMode.CONFINED]
        done = await asyncio.wait_for(runner.run(execution(id), target, FAR, Seen()), 60)
        assert done.kind is Kind.SUCCEEDED, done.error
        return json.loads(done.result or b"")

    def of(self, *names: str) -> list[str]:
        """Return the values of variables."""
        return sorted(self.values[name] for name in names)


@pytest.fixture
async def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    yards: list[Yard] = []

    async def laid_out(**grants: str) -> Yard:
        yard = Yard(tmp_path / "project", grants, monkeypatch)
        yards.append(yard)
        await yard.fleet.start()
        return yard

    yield laid_out
    for one in yards:
        await one.fleet.stop(2_000)
        forget_modules(str(one.project.settings.jobs_dir))


def nothing(seen: dict[str, list[str]]) -> bool:
    return not any(seen.values())


async def test_a_secret_of_one_job_is_nowhere_in_another_and_the_search_finds_it_where_it_is_granted(yard):
    made = await yard(names='["FIRST"]', bare="none")
    seen = await made.looks("names")
    assert seen["at_import"] == made.of("FIRST")  # as ever: it may be read when the module is imported
    for place in ("variables", "memory", "collector"):
        assert seen[place] == made.of("FIRST"), place
    seen = await made.looks("bare")
    assert nothing(seen), seen


@pytest.mark.parametrize("what", ["threads", "rooms"])
async def test_nor_where_slots_are_fresh_interpreters_nor_where_there_are_no_namespaces(yard, what):
    made = await yard(names='["FIRST"]', bare="none")
    if what == "threads":
        module = made.folder / "workers" / "jobs" / "_searching.py"
        thread = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
        module.write_text(f"{module.read_text()}\nimport threading\n{thread}\n")  # imported here before
        await made.reload({"names": '["FIRST"]', "bare": "none"})
        assert not any(one.runner._source.forks for one in made.fleet.runners["confined"]._sets.all)
    else:
        host = msgspec.structs.replace(probed(), rooms_missing="switched off by the test")
        made.sandbox._host = host
    seen = await made.looks("names")
    assert (seen["memory"], seen["others"]) == (made.of("FIRST"), [])
    seen = await made.looks("bare")
    assert nothing(seen), seen


async def test_no_job_finds_the_secrets_of_the_others_nor_one_that_may_see_all_a_secret_of_the_daemon(yard):
    made = await yard(
        first='["FIRST"]', second='["SECOND"]', both='["FIRST", "SECOND"]', queue='["REDIS_URL"]', all="true"
    )
    for id, names in (
        ("first", ["FIRST"]),
        ("second", ["SECOND"]),
        ("both", ["FIRST", "SECOND"]),
        ("queue", ["PASSWORD"]),
        ("all", ["FIRST", "SECOND"]),
    ):
        seen = await made.looks(id)
        assert seen["memory"] == made.of(*names), id
        assert not seen["others"], id


async def test_after_a_reload_that_changes_grants_a_job_finds_only_what_it_is_granted_now(yard):
    made = await yard(one='["FIRST"]', two="none")
    assert (await made.looks("one"))["memory"] == made.of("FIRST")
    await made.reload({"one": "none", "two": '["FIRST"]'})
    assert nothing(await made.looks("one"))
    assert (await made.looks("two"))["memory"] == made.of("FIRST")
    await made.reload({"one": '["SECOND"]', "two": '["SECOND"]'})
    for id in ("one", "two"):
        assert (await made.looks(id))["memory"] == made.of("SECOND")


async def test_jobs_that_may_see_the_same_share_a_source(yard):
    made = await yard(a='["FIRST"]', b='["PATH", "FIRST"]', c="none", d="[]")
    ids = sorted(sorted(jobs.ids) for jobs in granted_jobs(made.project))
    assert ids == [["a", "b"], ["c", "d"]]
    alone = runners_for(made.project, "c")[ConfinedMode.CONFINED]
    assert alone._sets.by_id.keys() == {"c", "d"}
