"""Tasks from the config and from modules of the tasks directory."""

import pytest

from netscript_workers.domain.target import Concept, Source, TaskType

BUILT = """
from netscript_workers import define_task
resize = define_task("resize").entrypoint("resize.ts").timeout("9s").topic("media").build()
"""


def declare(project, id, entrypoint, **said):
    project.declare(id, entrypoint, Concept.TASK, **{"type": TaskType.SHELL, **said})


def test_a_config_task_gets_the_defaults_of_tasks(project):
    path = project.tasks.write("sub/backup.sh")
    declare(project, "backup", "./sub/backup.sh", args=("-v",), env={"A": "b"})
    catalog = project.scan()
    assert catalog.problems == ()
    target = catalog.targets["backup"]
    assert (target.concept, target.source, target.path) == (Concept.TASK, Source.CONFIG, path)
    assert (target.timeout, target.max_retries, target.max_concurrency) == (300_000, 1, 1)
    assert (target.type, target.args, target.env, target.persist) == (
        TaskType.SHELL,
        ("-v",),
        {"A": "b"},
        True,
    )
    assert catalog.handler_refs() == []


def test_a_built_task_in_a_module_is_found(project):
    project.tasks.write("resize.ts")
    project.tasks.write("media.py", BUILT + "alias = resize\n")
    catalog = project.scan()
    assert catalog.problems == ()
    target = catalog.targets["resize"]
    assert (target.type, target.timeout, target.topic) == (TaskType.DENO, 9_000, "media")
    assert (target.source, target.file) == (Source.DIRECTORY, str(project.tasks.root / "media.py"))


def test_a_python_program_in_the_tasks_directory_is_never_imported(project):
    project.tasks.write(
        "report.py", "raise SystemExit('a program must not run because somebody looks at it')"
    )
    declare(project, "report", "report.py", type=TaskType.PYTHON)
    catalog = project.scan()
    assert list(catalog.targets) == ["report"]
    assert catalog.problems == ()


def test_a_builder_left_unbuilt_is_told(project):
    project.tasks.write(
        "x.py", "from netscript_workers import define_task\nx = define_task('x').entrypoint('y')\n"
    )
    problem = project.problem()
    assert problem.code == "E103"
    assert ".build()" in problem.hint


def test_a_task_module_that_fails_is_reported(project):
    project.tasks.write("x.py", "from netscript_workers import define_task\ndefine_task('Bad Id')\n")
    problem = project.problem()
    assert (problem.code, problem.line) == ("E101", 2)


@pytest.mark.parametrize("entrypoint", ["none.sh", "../x.sh", "/bin/sh", "https://deno.land/x.ts", "sub"])
def test_a_task_whose_program_is_missing_or_outside_is_an_error(project, entrypoint):
    project.tasks.write("sub/x.sh")
    declare(project, "x", entrypoint)
    problem = project.problem()
    assert (problem.code, problem.file, problem.line) == ("E105", "/etc/config.toml", 1)
    assert "task 'x'" in problem.message


def test_a_dotnet_project_may_be_a_directory(project):
    project.tasks.write("app/app.csproj")
    declare(project, "app", "app", type=TaskType.DOTNET)
    assert list(project.scan().targets) == ["app"]


def test_jobs_and_tasks_share_their_ids(project, handler_text):
    project.jobs.write("a.py", handler_text("same"))
    project.tasks.write("x.sh")
    declare(project, "same", "x.sh")
    problem = project.problem()
    assert problem.code == "E104"
    assert "a.py" in problem.message
    assert "/etc/config.toml:1" in problem.message


def test_a_bad_schedule_of_a_built_task_is_an_error(project):
    project.tasks.write("y")
    project.tasks.write(
        "x.py", BUILT.replace("resize.ts", "y").replace(".build()", ".schedule('never').build()")
    )
    assert project.problem().code == "E107"


def test_a_module_task_without_permissions_is_left_out_where_they_are_required(project):
    project.tasks.write("resize.ts")
    project.tasks.write("media.py", BUILT)
    project.tasks.write("other.py", BUILT.replace('"resize")', '"other").permissions("none")'))
    catalog = project.scan(require_permissions=True)
    assert list(catalog.targets) == ["other"]
    assert [problem.code for problem in catalog.problems] == ["E027"]
