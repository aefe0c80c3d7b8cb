"""The runtime directory under a running daemon: taken over within a second, and never half."""

import json
import time

import pytest

from support.daemons import Project, until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(180)]

JOB = """
from netscript_workers import job

@job("nap", timeout=60_000, max_retries=0)
async def nap(ctx):
    import asyncio
    await asyncio.sleep(ctx.payload.get("seconds", 0))
    return "slept"
"""


@pytest.fixture
def project(tmp_path) -> Project:
    made = Project(tmp_path / "p", "concurrency = 2\n", nap=JOB)
    tasks = made.folder / "workers" / "tasks"
    tasks.mkdir()
    (tasks / "greet.sh").write_text('echo "{\\"said\\": \\"$1\\"}"\n')
    return made


def put(project: Project, name: str, content: object) -> None:
    path = project.folder / "workers" / "runtime" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_suffix(".new")
    beside.write_text(content if isinstance(content, str) else json.dumps(content))
    beside.replace(path)


def version(number: str, *words: str, **fields: object) -> dict[str, object]:
    task = {"id": "greet", "runtime": "shell", "entrypoint": "greet.sh", "args": list(words), **fields}
    return {"version": number, "tasks": [task]}


def said(project: Project) -> object:
    return project.json("trigger", "greet", "--wait")["result"]["said"]


def logged(project: Project, words: str, seconds: float = 45) -> None:
    until(lambda: words in project.log(), words, seconds)


def test_versions_come_and_go_under_a_running_daemon_and_a_broken_one_changes_nothing(project):
    with project.daemon():
        until(lambda: project.json("status")["workers"], "the daemon")
        put(project, "tasks/v1.0.0.json", version("1.0.0", "one"))
        began = time.monotonic()
        logged(project, "took over v1.0.0.json: added greet")
        assert time.monotonic() - began < 10
        assert said(project) == "one"
        put(project, "tasks/v1.1.0.json", version("1.1.0", "two"))
        logged(project, "took over v1.1.0.json")
        assert said(project) == "two"
        put(project, "tasks/v1.2.0.json", "{ broken")
        logged(project, "the last good version stays")
        assert "E033 broken JSON" in project.log()
        put(project, "current", "1.0.0")
        logged(project, "took over v1.0.0.json: added nothing; changed greet")
        assert said(project) == "one"


def test_a_task_that_gets_a_schedule_runs_by_itself_from_then_on(project):
    put(project, "tasks/v1.0.0.json", version("1.0.0", "one"))
    with project.daemon():
        assert said(project) == "one"
        put(project, "tasks/v1.1.0.json", version("1.1.0", "two", schedule="* * * * * *"))
        logged(project, "took over v1.1.0.json")
        until(lambda: _by_cron(project), "a run by its schedule")
    assert {record["jobId"] for record in _by_cron(project)} == {"greet"}


def _by_cron(project):
    return [one for one in project.json("executions") if one["triggeredBy"] == "cron"]


def test_a_job_is_overridden_by_its_id(project):
    with project.daemon():
        until(lambda: project.json("status")["workers"], "the daemon")
        put(project, "jobs/v1.0.0.json", {"version": "1.0.0", "jobs": [{"id": "nap", "timeout": 200}]})
        logged(project, "changed nap")
        done = project.run("trigger", "nap", "--payload", '{"seconds": 30}', "--wait", "--json")
        assert json.loads(done.stdout)["status"] == "timeout"
    (job,) = project.json("jobs")
    assert job["timeout"] == 200


def test_validate_judges_the_runtime_directory_too(project):
    put(project, "tasks/v1.0.0.json", version("1.0.0", "one", entrypoint="../../out.sh"))
    put(project, "jobs/v1.0.0.json", {"version": "1.0.0", "jobs": [{"id": "nobody", "enabled": False}]})
    done = project.run("validate", "--format", "json")
    verdict = json.loads(done.stdout)
    assert [each["code"] for each in verdict["errors"]] == ["E105"]
    assert "W021" in [each["code"] for each in verdict["warnings"]]
