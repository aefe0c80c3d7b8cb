"""`workers validate`: everything at once, for people, CI and tools."""

import json
import sqlite3

import pytest

from netscript_workers.cli import run

JOB = "from netscript_workers import job\n\n@job({id!r}{options})\n{kind} {name}(ctx):\n    return None\n"


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (
        "WORKERS_CONFIG",
        "WORKERS_CONCURRENCY",
        "REDIS_URL",
        "DATABASE_URL",
        "AMQP_URL",
        "DENO_KV_URL",
    ):
        monkeypatch.delenv(name, raising=False)
    jobs = tmp_path / "workers" / "jobs"
    jobs.mkdir(parents=True)

    def write(id="hello", options="", kind="async def"):
        name = id.replace("-", "_")
        text = JOB.format(id=id, options=options, kind=kind, name=f"run_{name}")
        (jobs / f"validated_{name}.py").write_text(text)

    write()
    return write


@pytest.fixture
def validate(tmp_path, capsys):
    def command(text, *options):
        if text is not None:
            (tmp_path / "config.toml").write_text(text)
        status = run(["validate", *options])
        return status, capsys.readouterr()

    return command


def as_json(printed):
    return json.loads(printed.out)


def test_a_valid_config_ends_with_0(validate):
    status, printed = validate("concurrency = 3\n")
    assert (status, printed.out) == (0, "config.toml: valid\n")


def test_each_error_has_its_place_code_and_hint_and_the_status_is_1(validate):
    status, printed = validate('concurency = 3\nlease = "x"\n')
    assert status == 1
    lines = printed.out.splitlines()
    assert lines[0] == "config.toml:1:1 error E010 concurency: unknown key “concurency”"
    assert lines[1].strip() == "did you mean “concurrency”?"
    assert lines[2].startswith("config.toml:2:1 error E016 lease: ")
    assert lines[-1] == "config.toml: not valid (2 errors)"


def test_json_has_the_shape_of_the_contract(validate, tmp_path):
    status, printed = validate("concurrency = 0\n", "--format", "json")
    shown = as_json(printed)
    assert status == 1
    assert set(shown) == {"valid", "file", "errors", "warnings", "effective", "origins"}
    assert shown["valid"] is False
    assert shown["file"] == str(tmp_path / "config.toml")
    (error,) = shown["errors"]
    assert set(error) == {"code", "path", "file", "line", "column", "message", "hint"}
    assert (error["code"], error["path"], error["line"], error["column"]) == ("E013", "concurrency", 1, 1)
    assert shown["effective"]["log"]["level"] == "info"
    assert shown["origins"]["log.level"] == {"value": "info", "source": "default", "detail": ""}


def test_json_masks_secrets_and_knows_where_they_came_from(validate, monkeypatch):
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@cache/0")
    status, printed = validate('queue_provider = "deno-kv"\n', "--format", "json")
    assert status == 0
    assert "hunter2" not in printed.out
    origin = as_json(printed)["origins"]["connections.redis_url"]
    assert origin == {"value": "redis://***@cache/0", "source": "environment", "detail": "REDIS_URL"}


def test_github_annotations_name_file_line_and_column(validate):
    status, printed = validate("\nconcurrency = 0\n", "--format", "github")
    assert status == 1
    assert printed.out == (
        "::error file=config.toml,line=2,col=1,title=E013::concurrency: “concurrency” must be at least 1, not 0\n"
    )


def test_an_annotation_cannot_be_broken_out_of(validate):
    _, printed = validate('"a\\n::error::b" = 1\n', "--format", "github")
    assert len(printed.out.splitlines()) == 1
    assert "%0A" in printed.out


def test_strict_makes_warnings_fail(validate):
    warned = '[api]\nlisten = "127.0.0.1:8091"\n'
    status, printed = validate(warned)
    assert status == 0
    assert "config.toml:1:2 warning W111 api: " in printed.out
    status, printed = validate(warned, "--strict", "--format", "json")
    assert (status, as_json(printed)["valid"]) == (1, False)


def test_problems_of_config_and_job_modules_come_in_one_go(validate, tmp_path):
    (tmp_path / "workers" / "jobs" / "broken_on_import.py").write_text("import nowhere_to_be_found\n")
    text = (
        'lease = "x"\n'
        '[[jobs]]\nid = "gone"\nentrypoint = "gone.py"\n'
        '[[jobs]]\nid = "out"\nentrypoint = "../../config.toml"\n'
        '[[jobs]]\nid = "gone"\nentrypoint = "gone.py"\n'
    )
    status, printed = validate(text, "--format", "json")
    errors = {
        (error["code"], error["path"], error["line"], error["column"]) for error in as_json(printed)["errors"]
    }
    assert status == 1
    assert {
        ("E016", "lease", 1, 1),
        ("E105", "jobs[0].entrypoint", 4, 1),
        ("E105", "jobs[1].entrypoint", 7, 1),
        ("E023", "jobs[2].id", 9, 1),
    } <= errors
    assert "E101" in {code for code, *_ in errors}


def test_a_job_or_task_without_a_usable_id_does_not_hide_its_missing_file(validate, tmp_path):
    text = (
        '[[jobs]]\nentrypoint = "gone.py"\n'
        '[[jobs]]\nid = "Bad Id"\nentrypoint = "../out.py:main"\n'
        '[[jobs]]\nid = 3\nentrypoint = "validated_hello.py"\n'
        '[[groups]]\ntopic = "mail"\n[[groups.tasks]]\nid = ""\ntype = "shell"\nentrypoint = "gone.sh"\n'
        '[[tasks]]\nid = "x_y"\ntype = "dotnet"\nentrypoint = "project"\n'
        '[[tasks]]\ntype = "shell"\nentrypoint = 5\n'
    )
    (tmp_path / "workers" / "tasks" / "project").mkdir(parents=True)
    status, printed = validate(text, "--format", "json")
    assert status == 1
    errors = as_json(printed)["errors"]
    found = [(error["code"], error["path"], error["line"]) for error in errors]
    assert found == [
        ("E015", "jobs[0].id", 1),
        ("E105", "jobs[0].entrypoint", 2),
        ("E018", "jobs[1].id", 4),
        ("E105", "jobs[1].entrypoint", 5),
        ("E012", "jobs[2].id", 7),
        ("E018", "groups[0].tasks[0].id", 12),
        ("E105", "groups[0].tasks[0].entrypoint", 14),
        ("E018", "tasks[0].id", 16),
        ("E015", "tasks[1].id", 19),
        ("E012", "tasks[1].entrypoint", 21),
    ]
    assert "job without an id: the entrypoint 'gone.py'" in errors[1]["message"]


def test_what_a_module_prints_does_not_mix_with_the_data(validate, tmp_path):
    (tmp_path / "workers" / "jobs" / "talks_on_import.py").write_text(
        "print('loud')\ndef handler(ctx): ...\n"
    )
    status, printed = validate("", "--format", "json")
    assert status == 0
    assert as_json(printed)["valid"]
    assert "loud" in printed.err


def test_a_plain_function_in_process_is_warned_of(validate, project):
    project("slow", kind="def")
    status, printed = validate('runtime = "in-process"\n', "--format", "json")
    assert status == 0
    (warning,) = as_json(printed)["warnings"]
    assert (warning["code"], "slow" in warning["message"]) == ("W007", True)
    assert warning["file"].endswith("validated_slow.py")


def test_explain_shows_values_origins_provider_and_plan(validate, project):
    project("mail", options=", topic='mail', timeout=1000, max_retries=1, retry_delay=500")
    text = '[[groups]]\ntopic = "mail"\nscaling = { concurrency = 10 }\n'
    status, printed = validate(text, "--explain")
    assert status == 0
    assert "groups[0].scaling.concurrency" in printed.out
    assert "2 (default) + 10 (mail) = 12" in printed.out
    assert "deno-kv (auto: neither an AMQP nor a Redis URL is configured)" in printed.out
    lines = [line.split() for line in printed.out.splitlines()]
    assert ["mail", "mail", "web-worker", "2", "1s", "2s500ms", "2s"] in lines


def test_explain_in_json_adds_the_plan(validate):
    _, printed = validate("", "--explain", "--format", "json", "--concurrency", "3")
    plan = as_json(printed)["plan"]
    assert (plan["slots"], plan["provider"]) == (3, "deno-kv")
    assert plan["rule"].startswith("--concurrency sets the size")
    assert [target["id"] for target in plan["targets"]] == ["hello"]


def test_values_that_a_config_job_leaves_unset_come_from_code_group_or_default(validate, project, tmp_path):
    project("mail", options=", max_retries=7")
    text = (
        '[[groups]]\ntopic = "post"\nruntime = "subprocess"\n'
        '[[groups.jobs]]\nid = "mail"\nentrypoint = "validated_mail.py"\n'
    )
    status, printed = validate(text, "--format", "json")
    assert status == 0, printed.out
    origins = as_json(printed)["origins"]
    assert origins["groups[0].jobs[0].max_retries"]["value"] == 7
    assert origins["groups[0].jobs[0].max_retries"]["detail"].endswith("validated_mail.py:3 (@job)")
    assert origins["groups[0].jobs[0].topic"]["value"] == "post"
    assert origins["groups[0].retention.kv_days"] == {"value": 7, "source": "default", "detail": ""}
    assert origins["groups[0].jobs[0].runtime"]["detail"].endswith("config.toml:3")
    assert origins["groups[0].jobs[0].timeout"] == {"value": 60_000, "source": "default", "detail": ""}
    assert as_json(printed)["effective"]["groups"][0]["jobs"][0]["max_retries"] == 7


def test_a_plan_over_max_memory_is_an_error(validate):
    assert validate("concurrency = 100\n", "--max-memory", "8G")[0] == 0
    status, printed = validate("concurrency = 100\n", "--max-memory", "100M")
    assert status == 1
    assert "E028" in printed.out
    assert validate("", "--max-memory", "lots")[0] == 2


def test_connect_looks_at_the_queues_file_and_makes_none(validate, tmp_path):
    assert validate("", "--connect")[0] == 0
    assert not (tmp_path / "workers" / "queue.sqlite3").exists()


def test_connect_reports_a_file_that_is_no_queue(validate, tmp_path):
    (tmp_path / "garbage.db").write_bytes(b"no database " * 100)
    status, printed = validate('[connections]\ndeno_kv_path = "garbage.db"\n', "--connect")
    assert status == 1
    assert "E029" in printed.out
    with pytest.raises(sqlite3.DatabaseError), sqlite3.connect(tmp_path / "garbage.db") as database:
        database.execute("SELECT * FROM kv")


def test_a_file_that_is_not_there_and_a_broken_one_end_with_1(validate):
    status, printed = validate(None, "nope.toml")
    assert status == 1
    assert "E001" in printed.out
    status, printed = validate("a = \n")
    assert status == 1
    assert "config.toml:1:5 error E002 broken TOML: a value was expected" in printed.out


def test_two_config_files_are_wrong_usage(validate):
    assert validate("", "config.toml", "--config", "config.toml")[0] == 2


def test_schema_prints_json_schema(capsys):
    assert run(["schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    assert schema["$schema"].endswith("2020-12/schema")
    assert {"jobs_dir", "jobsDir"} <= set(schema["properties"])
