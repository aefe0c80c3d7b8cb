"""Jobs from modules and from the config (SPEC section 6)."""

import os

import pytest

from netscript_workers.authoring.loading import HandlerRef, load_handler
from netscript_workers.domain.problem import Severity
from netscript_workers.domain.target import Concept, Retention, RunnerMode, Source


def test_the_jobs_directory_is_scanned_recursively(project, handler_text):
    project.jobs.write("a.py", handler_text("one"))
    project.jobs.write("deep/er/b.py", handler_text("two"))
    project.jobs.write("process_payment.py", "def handler(ctx): ...")
    catalog = project.scan()
    assert list(catalog.targets) == ["one", "process-payment", "two"]
    assert catalog.problems == ()
    two = catalog.targets["two"]
    assert two.path == str(project.jobs.root / "deep" / "er" / "b.py")
    assert (two.entrypoint, two.source, two.concept) == ("deep/er/b.py", Source.DIRECTORY, Concept.JOB)


def test_private_and_hidden_files_and_directories_are_skipped(project):
    for name in ("_a.py", ".b.py", "_sub/c.py", ".git/d.py", "__pycache__/e.py", "__init__.py", "f.txt"):
        project.jobs.write(name, "raise RuntimeError('must not be imported')")
    catalog = project.scan()
    assert not catalog.targets
    assert [problem.code for problem in catalog.problems] == ["W020"]


def test_a_job_that_says_nothing_gets_the_defaults(project, handler_text):
    project.jobs.write("a.py", handler_text("plain"))
    target = project.scan().targets["plain"]
    assert (target.topic, target.timeout, target.max_retries, target.retry_delay) == (
        "default",
        60_000,
        3,
        1_000,
    )
    assert (target.priority, target.max_concurrency, target.enabled, target.name) == (50, None, True, "plain")
    assert (target.runtime, target.retention) == (RunnerMode.WEB_WORKER, Retention())
    assert target.type is None


def test_a_target_inherits_from_its_topic_what_it_does_not_say(project, handler_text):
    project.jobs.write("a.py", handler_text("mail", ", topic='mail'"))
    project.jobs.write(
        "b.py", handler_text("own", ", topic='mail', runtime='in-process', retention={'kv_days': 1}")
    )
    project.jobs.write("c.py", handler_text("other"))
    targets = project.scan(
        default_runtime=RunnerMode.IN_PROCESS,
        runtime_by_topic={"mail": RunnerMode.SUBPROCESS},
        retention_by_topic={"mail": Retention(kv_days=30)},
    ).targets
    assert (targets["mail"].runtime, targets["mail"].retention.kv_days) == (RunnerMode.SUBPROCESS, 30)
    assert (targets["own"].runtime, targets["own"].retention.kv_days) == (RunnerMode.IN_PROCESS, 1)
    assert (targets["other"].runtime, targets["other"].retention) == (RunnerMode.IN_PROCESS, Retention())


def test_the_config_wins_over_the_decorator_value_by_value(project, handler_text):
    project.jobs.write("a.py", handler_text("pay", ", timeout=5, priority=9, topic='mail'"))
    project.declare("pay", "a.py", timeout=7, topic="bills")
    catalog = project.scan()
    assert catalog.problems == ()
    target = catalog.targets["pay"]
    assert (target.timeout, target.priority, target.topic) == (7, 9, "bills")
    assert (target.source, target.file, target.entrypoint) == (Source.CONFIG, "/etc/config.toml", "a.py")


def test_a_config_job_names_the_conventional_handler_of_a_file(project):
    project.jobs.write("process_payment.py", "def handler(ctx): ...")
    project.declare("pay", "process_payment.py")
    catalog = project.scan()
    assert list(catalog.targets) == ["pay"]
    assert catalog.problems == ()


def test_a_config_job_may_give_a_decorated_handler_a_second_id(project, handler_text):
    project.jobs.write("a.py", handler_text("first", ", timeout=5"))
    project.declare("second", "a.py")
    catalog = project.scan()
    assert list(catalog.targets) == ["first", "second"]
    assert catalog.targets["second"].timeout == 5


def test_an_entrypoint_may_name_a_function(project):
    project.jobs.write("lib.py", "def charge(ctx): return 'charged'\ndef refund(ctx): return 'refunded'\n")
    project.declare("charge", "lib.py:charge")
    project.declare("refund", "lib.py:refund")
    catalog = project.scan()
    assert catalog.problems == ()
    refs = catalog.handler_refs()
    path = str(project.jobs.root / "lib.py")
    assert refs == [HandlerRef("charge", path, "charge"), HandlerRef("refund", path, "refund")]
    assert load_handler(refs[1], str(project.jobs.root)).function(None) == "refunded"


def test_a_config_job_may_live_in_a_private_file(project, handler_text):
    project.jobs.write("_private.py", handler_text("secret"))
    project.declare("secret", "_private.py")
    assert list(project.scan().targets) == ["secret"]


def test_every_handler_ref_leads_to_its_handler(project, handler_text):
    project.jobs.write("a.py", handler_text("one"))
    project.jobs.write("b.py", "def handler(ctx): ...")
    project.declare("renamed", "b.py")
    catalog = project.scan()
    for ref in catalog.handler_refs():
        handler = load_handler(ref, str(project.jobs.root))
        assert handler.target_id == ref.target_id
        assert handler.function is catalog.handlers[ref.target_id].function


def test_plain_functions_are_known(project, handler_text):
    project.jobs.write("a.py", handler_text("later"))
    project.jobs.write("now.py", "def handler(ctx): ...")
    assert project.scan().sync_jobs() == {"now"}


def test_the_nearest_ids_are_found(project, handler_text):
    project.jobs.write("a.py", handler_text("process-payment"))
    project.jobs.write("b.py", handler_text("send-mail"))
    catalog = project.scan()
    assert catalog.nearest("proces_payment") == ["process-payment"]
    assert catalog.nearest("zzz") == []


# ---------------------------------------------------------------------- what is wrong


def test_a_module_that_fails_is_reported_with_its_traceback_and_the_rest_loads(project, handler_text):
    project.jobs.write("bad.py", "x = 1\nraise ValueError('at import')")
    project.jobs.write("good.py", handler_text("good"))
    catalog = project.scan()
    assert list(catalog.targets) == ["good"]
    (problem,) = catalog.problems
    assert (problem.code, problem.severity, problem.line) == ("E101", Severity.ERROR, 2)
    assert problem.file == str(project.jobs.root / "bad.py")
    assert "Traceback (most recent call last)" in problem.message
    assert "ValueError: at import" in problem.message


def test_a_failing_module_named_by_the_config_is_reported_once(project):
    project.jobs.write("bad.py", "raise ValueError")
    project.declare("one", "bad.py")
    project.declare("two", "bad.py:run")
    assert project.problem().code == "E101"


def test_a_module_without_a_handler_is_an_error(project):
    project.jobs.write("models.py", "class Model: ...")
    problem = project.problem()
    assert problem.code == "E102"
    assert "_" in problem.hint


def test_a_job_defined_wrongly_is_an_error_at_its_line(project):
    project.jobs.write("a.py", "from netscript_workers import job\n\n@job('x')\ndef x(): ...")
    problem = project.problem()
    assert (problem.code, problem.line) == ("E103", 3)
    assert "takes no context" in problem.message


def test_two_modules_with_one_id_are_an_error_that_names_both(project, handler_text):
    project.jobs.write("a.py", handler_text("same"))
    project.jobs.write("b.py", handler_text("same"))
    problem = project.problem()
    assert problem.code == "E104"
    assert f"{project.jobs.root / 'a.py'}:3" in problem.message
    assert f"{project.jobs.root / 'b.py'}:3" in problem.message


def test_one_module_with_one_id_twice_is_an_error(project):
    text = "from netscript_workers import job\n@job('same')\ndef a(ctx): ...\n@job('same')\ndef b(ctx): ...\n"
    project.jobs.write("a.py", text)
    problem = project.problem()
    assert problem.code == "E104"
    assert "a.py:2" in problem.message
    assert "a.py:4" in problem.message


def test_a_config_job_and_a_module_with_one_id_but_two_files_are_an_error(project, handler_text):
    project.jobs.write("a.py", handler_text("same"))
    project.jobs.write("b.py", "def handler(ctx): ...")
    project.declare("same", "b.py")
    catalog = project.scan()
    (problem,) = catalog.problems
    assert problem.code == "E104"
    assert "/etc/config.toml:1" in problem.message
    assert "a.py:3" in problem.message
    assert catalog.targets["same"].path.endswith("b.py")


@pytest.mark.parametrize(
    "entrypoint", ["none.py", "../outside.py", "/etc/passwd", "https://x/y.py", "sub", "notes.txt", "link.py"]
)
def test_an_entrypoint_that_is_missing_or_leads_out_is_an_error_at_its_place(project, tmp_path, entrypoint):
    (tmp_path / "outside.py").write_text("def handler(ctx): ...")
    project.jobs.write("sub/_x.py")
    project.jobs.write("notes.txt")
    if entrypoint == "link.py":
        os.symlink(tmp_path / "outside.py", project.jobs.root / "_link.py")
        entrypoint = "_link.py"
    project.declare("x", entrypoint)
    problem = project.problem()
    assert (problem.code, problem.file, problem.line) == ("E105", "/etc/config.toml", 1)
    assert "job 'x'" in problem.message


def test_a_scanned_link_that_leads_out_is_an_error_and_is_not_imported(project, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "evil.py").write_text("raise RuntimeError('imported')")
    os.symlink(outside / "evil.py", project.jobs.root / "evil.py")
    os.symlink(outside, project.jobs.root / "evil_dir")
    assert [problem.code for problem in project.scan().problems] == ["E105", "E105"]


def test_a_link_inside_is_one_module(project, handler_text):
    project.jobs.write("a.py", handler_text("one"))
    os.symlink(project.jobs.root / "a.py", project.jobs.root / "b.py")
    os.symlink(project.jobs.root, project.jobs.root / "round")
    catalog = project.scan()
    assert list(catalog.targets) == ["one"]
    assert catalog.problems == ()


def test_a_function_that_is_not_there_is_an_error(project, handler_text):
    project.jobs.write("a.py", handler_text("one"))
    project.declare("x", "a.py:nothing")
    problem = project.problem()
    assert (problem.code, problem.file) == ("E106", "/etc/config.toml")


def test_a_module_of_many_jobs_must_be_told_which_one_is_meant(project):
    text = "from netscript_workers import job\n@job('a')\ndef a(ctx): ...\n@job('b')\ndef b(ctx): ...\n"
    project.jobs.write("ab.py", text)
    project.declare("c", "ab.py")
    problem = project.problem()
    assert problem.code == "E106"
    assert "it has 'a', 'b'" in problem.message
    assert "path.py:function" in problem.hint


@pytest.mark.parametrize(
    "options", [", schedule='every day'", ", schedule='@daily', timezone='Mars/Olympus'"]
)
def test_a_bad_schedule_in_code_is_an_error(project, handler_text, options):
    project.jobs.write("a.py", handler_text("x", options))
    problem = project.problem()
    assert (problem.code, problem.line) == ("E107", 3)
    assert not project.scan().targets


def test_an_unreadable_directory_is_an_error(project):
    hidden = project.jobs.root / "hidden"
    hidden.mkdir(mode=0o000)
    try:
        if os.access(hidden, os.R_OK):
            pytest.skip("this user may read everything")
        assert "E108" in [problem.code for problem in project.scan().problems]
    finally:
        hidden.chmod(0o700)


def test_every_problem_is_found_in_one_go(project, handler_text):
    project.jobs.write("a.py", handler_text("same"))
    project.jobs.write("b.py", handler_text("same"))
    project.jobs.write("bad.py", "raise ValueError")
    project.jobs.write("models.py", "")
    project.declare("x", "none.py")
    codes = sorted(problem.code for problem in project.scan().problems)
    assert codes == ["E101", "E102", "E104", "E105"]


def test_an_empty_project_is_a_warning(project):
    problem = project.problem()
    assert (problem.code, problem.severity) == ("W020", Severity.WARNING)
    project.jobs.root.rmdir()
    assert "does not exist" in project.problem().message
