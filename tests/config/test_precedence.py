"""Where a value comes from: default < file < environment < command line, each with its origin."""

import pytest

from netscript_workers.config import OriginKind


def origin(loaded, key):
    found = loaded.origins[key]
    return found.value, found.source, found.detail


def test_each_layer_wins_over_the_one_before(load, tmp_path):
    loaded = load("")
    assert origin(loaded, "concurrency") == (2, OriginKind.DEFAULT, "")
    loaded = load("\nconcurrency = 3")
    assert origin(loaded, "concurrency") == (3, OriginKind.FILE, f"{tmp_path / 'config.toml'}:2")
    loaded = load("concurrency = 3", environ={"WORKERS_CONCURRENCY": "4"})
    assert origin(loaded, "concurrency") == (4, OriginKind.ENVIRONMENT, "WORKERS_CONCURRENCY")
    loaded = load("concurrency = 3", environ={"WORKERS_CONCURRENCY": "4"}, concurrency=5)
    assert origin(loaded, "concurrency") == (5, OriginKind.COMMAND_LINE, "--concurrency")
    assert loaded.settings.concurrency == 5


@pytest.mark.parametrize(
    ("variable", "text", "key", "value"),
    [
        ("WORKERS_CONCURRENCY", "7", "concurrency", 7),
        ("WORKER_RUNTIMES", "in-process", "runtime", "in-process"),
        ("WORKERS_QUEUE", "orders", "queue_name", "orders"),
        ("WORKERS_QUEUE_PROVIDER", "redis", "queue_provider", "redis"),
        ("WORKERS_ENABLED", "no", "enabled", False),
        ("WORKERS_SHUTDOWN_TIMEOUT", "10s", "shutdown_timeout", 10_000),
        ("WORKERS_SHUTDOWN_TIMEOUT", "9000", "shutdown_timeout", 9_000),
        ("WORKERS_LOG_LEVEL", "debug", "log.level", "debug"),
        ("WORKERS_LOG_FORMAT", "json", "log.format", "json"),
        ("REDIS_URL", "redis://cache", "connections.redis_url", "redis://cache"),
        ("DATABASE_URL", "postgresql://db/x", "connections.database_url", "postgresql://db/x"),
        ("AMQP_URL", "amqp://mq", "connections.amqp_url", "amqp://mq"),
    ],
)
def test_every_variable_reaches_its_key(load, variable, text, key, value):
    loaded = load("", environ={variable: text})
    assert loaded.problems == []
    assert origin(loaded, key) == (value, OriginKind.ENVIRONMENT, variable)


def test_directories_from_the_environment_start_where_the_process_stands(load, tmp_path):
    for variable in ("WORKERS_JOBS_DIR", "NETSCRIPT_JOBS_DIR"):
        assert load("", environ={variable: "j"}).settings.jobs_dir == tmp_path / "j"
    both = load("", environ={"NETSCRIPT_TASKS_DIR": "n", "WORKERS_TASKS_DIR": "w"})
    assert both.settings.tasks_dir == tmp_path / "w"
    assert load("", environ={"DENO_KV_URL": "q.db"}).settings.connections.deno_kv_path == tmp_path / "q.db"
    url = load("", environ={"DENO_KV_URL": "file:///var/q%20q.db"})
    assert str(url.settings.connections.deno_kv_path) == "/var/q q.db"


def test_paths_in_the_file_start_from_the_file(load, tmp_path, monkeypatch):
    monkeypatch.chdir("/")
    loaded = load('jobs_dir = "./j"')
    assert loaded.settings.jobs_dir == tmp_path / "j"
    assert loaded.settings.connections.deno_kv_path == tmp_path / "workers" / "queue.sqlite3"


@pytest.mark.parametrize(
    ("variable", "text"),
    [
        ("WORKERS_CONCURRENCY", "many"),
        ("WORKERS_CONCURRENCY", "0"),
        ("WORKER_RUNTIMES", "webworker"),
        ("WORKERS_ENABLED", "maybe"),
        ("WORKERS_SHUTDOWN_TIMEOUT", "soon"),
        ("WORKERS_LOG_LEVEL", "loud"),
        ("REDIS_URL", "http://cache"),
        ("DENO_KV_URL", "https://api.deno.com/databases/x/connect"),
    ],
)
def test_a_variable_that_does_not_parse_is_an_error_that_names_it(load, variable, text):
    loaded = load("", environ={variable: text})
    assert [problem.code for problem in loaded.problems] == ["E005"]
    assert variable in loaded.problems[0].message
    assert loaded.settings is None


def test_an_option_that_does_not_fit_is_an_error_that_names_it(load):
    (problem,) = load("", provider="kafka").problems
    assert problem.code == "E006"
    assert problem.message.startswith("--provider")


def test_a_wrong_value_in_the_file_is_told_even_where_a_variable_wins(load):
    loaded = load("concurrency = 0", environ={"WORKERS_CONCURRENCY": "4"})
    assert [(problem.code, problem.line) for problem in loaded.problems] == [("E013", 1)]


def test_an_empty_variable_counts_as_unset(load):
    assert load("", environ={"WORKERS_CONCURRENCY": "", "REDIS_URL": ""}).problems == []


def test_the_variable_without_an_s_is_not_read_and_a_warning_says_so(load):
    loaded = load("", environ={"WORKER_CONCURRENCY": "9"})
    assert [problem.code for problem in loaded.problems] == ["W001"]
    assert loaded.settings.concurrency == 2


def test_a_url_can_stand_in_a_file_that_a_variable_names(load, tmp_path):
    (tmp_path / "url").write_text("redis://cache/1\n")
    loaded = load("", environ={"REDIS_URL_FILE": str(tmp_path / "url")})
    assert loaded.settings.connections.redis_url.reveal() == "redis://cache/1"
    assert loaded.origins["connections.redis_url"].detail == "REDIS_URL_FILE"
    assert [p.code for p in load("", environ={"REDIS_URL_FILE": "/nope"}).problems] == ["E007"]
    both = {"REDIS_URL": "redis://a", "REDIS_URL_FILE": str(tmp_path / "url")}
    assert [p.code for p in load("", environ=both).problems] == ["E005"]


def test_worker_id_is_handed_on(load):
    assert load("", environ={"WORKER_ID": "w-1"}).worker_id == "w-1"
    assert load("").worker_id is None


def test_both_spellings_mean_the_same(load):
    snake = load(
        'jobs_dir = "a"\nmax_payload_bytes = 10\n[[jobs]]\nid="a"\nentrypoint="a.py"\nmax_retries = 5\nretry_delay = "2s"\n'
    )
    camel = load(
        'jobsDir = "a"\nmaxPayloadBytes = 10\n[[jobs]]\nid="a"\nentrypoint="a.py"\nmaxRetries = 5\nretryDelay = "2s"\n'
    )
    assert snake.problems == camel.problems == []
    assert snake.settings == camel.settings


def test_a_tasks_type_may_be_called_runtime_but_not_both(load):
    text = '[[tasks]]\nid="t"\nentrypoint="t.py"\nruntime = "python"\n'
    assert load(text).settings.tasks[0].type == "python"
    (problem,) = load(text + 'type = "python"\n').problems
    assert (problem.code, problem.line) == ("E011", 5)
    assert "“runtime” (line 4)" in problem.message


def test_what_a_group_says_its_members_inherit(load):
    text = (
        '[[groups]]\ntopic = "mail"\nruntime = "subprocess"\nretention = { kvDays = 3 }\n'
        '[[groups.jobs]]\nid = "a"\nentrypoint = "a.py"\nretention = { db_days = 9 }\n'
        '[[jobs]]\nid = "b"\nentrypoint = "b.py"\ntopic = "mail"\nruntime = "in-process"\n'
        '[[jobs]]\nid = "c"\nentrypoint = "c.py"\n'
    )
    a, b, c = sorted(load(text).settings.declarations(), key=lambda declaration: declaration.id)
    assert (a.topic, a.runtime, a.retention.kv_days, a.retention.db_days) == ("mail", "subprocess", 3, 9)
    assert (b.topic, b.runtime, b.retention.kv_days) == ("mail", "in-process", 3)
    assert (c.topic, c.runtime, c.retention) == (None, None, None)
    assert (a.file is not None, a.line) == (True, 5)


@pytest.mark.parametrize(
    ("text", "environ", "provider"),
    [
        ("", {}, "deno-kv"),
        ("", {"REDIS_URL": "redis://h"}, "redis"),
        ("", {"REDIS_URL": "redis://h", "AMQP_URL": "amqp://h"}, "amqp"),
        ("", {"DATABASE_URL": "postgres://h/x"}, "deno-kv"),
        ('queue_provider = "postgres"', {}, "postgres"),
        ('queueProvider = "deno-kv"', {"REDIS_URL": "redis://h"}, "deno-kv"),
    ],
)
def test_the_provider_is_chosen_by_the_rule(load, text, environ, provider):
    from netscript_workers.config import resolve_provider

    resolved = resolve_provider(load(text, environ=environ).settings)
    assert resolved.provider.value == provider
    assert resolved.why
