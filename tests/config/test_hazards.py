"""Warnings: settings that are valid and will hurt, and what this version cannot do yet."""

import pytest

from netscript_workers import config
from netscript_workers.config import REFUSED_BY_DAEMON, Subject
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Limits, RunnerMode, Source, Target, TaskType

MINUTE = 60_000


def job(**fields):
    return Target(
        **(
            {"id": "a", "concept": Concept.JOB, "source": Source.DIRECTORY, "file": "a.py", "path": "/a.py"}
            | fields
        )
    )


def task(**fields):
    return job(**({"concept": Concept.TASK, "type": TaskType.DENO, "file": "a.ts"} | fields))


def codes(load, *targets, text="", environ=None, **subject):
    settings = load(text, environ=environ).settings
    found = config.hazards(
        settings,
        Subject(targets={target.id: target for target in targets}, environ={"PATH": "/nowhere"}, **subject),
    )
    return [problem.code for problem in found]


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (job(), []),
        (task(), ["W005", "W002"]),
        (task(type=TaskType.EXECUTABLE), ["W003"]),
        (task(type=TaskType.POWERSHELL, permissions=Permissions()), ["W005"]),
        (task(enabled=False), []),
        (job(runtime=RunnerMode.SUBPROCESS, permissions=Permissions(net=True)), ["W004"]),
        (job(runtime=RunnerMode.SUBPROCESS, permissions=Permissions(net=("a",), env=True)), []),
        (job(permissions=Permissions()), ["W011"]),
        (job(limits=Limits(cpu_seconds=1)), ["W011"]),
        (job(limits=Limits(cpu_seconds=1), runtime=RunnerMode.SUBPROCESS), []),
        (job(max_retries=15, timeout=MINUTE), []),
        (job(max_retries=16, timeout=MINUTE), ["W006"]),
        (job(schedule="* * * * *", timeout=MINUTE + 1, max_concurrency=1), ["W008"]),
        (job(schedule="* * * * *", timeout=MINUTE, max_concurrency=1), []),
        (job(schedule="* * * * *", timeout=2 * MINUTE), []),
        (job(max_retries=3, retry_delay=5 * 24 * 60 * MINUTE), ["W010"][:0]),
        (job(max_retries=9, retry_delay=24 * 60 * MINUTE), ["W010"]),
    ],
)
def test_a_hazard_of_a_target_has_its_code(load, target, expected):
    assert sorted(codes(load, target)) == sorted(expected)


def test_a_plain_function_in_process_cannot_be_stopped(load):
    inside = job(runtime=RunnerMode.IN_PROCESS)
    assert codes(load, inside, sync_jobs=frozenset({"a"})) == ["W007"]
    assert codes(load, inside) == []
    assert codes(load, job(), sync_jobs=frozenset({"a"})) == []


def test_a_timeout_beyond_the_consumer_timeout_matters_to_rabbitmq_only(load):
    long = job(timeout=31 * MINUTE, max_retries=0)
    assert codes(load, long) == []
    assert codes(load, long, environ={"AMQP_URL": "amqp://h"}) == ["W015", "W009"]


def test_settings_without_effect_are_told(load):
    assert codes(load, job(runtime=RunnerMode.IN_PROCESS), text="max_jobs_per_slot = 3") == ["W012"]
    assert codes(load, topics=("mial",)) == ["W012"]
    assert codes(load, text='queue_provider = "memory"') == ["W013"]
    assert codes(load, text='shutdown_timeout = "30s"') == ["W014"]
    declared = '[[jobs]]\nid="a"\nentrypoint="a.py"\ntimezone="UTC"\n'
    assert codes(load, job(), text=declared) == ["W012"]


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (job(permissions=Permissions()), ["has permissions"]),
        (job(limits=Limits(memory=1 << 30, cpu_seconds=3)), ["has limits.memory, limits.cpu_seconds"]),
        (
            task(type=TaskType.SHELL, permissions=Permissions(), limits=Limits(open_files=9)),
            ["has permissions", "has limits.open_files"],
        ),
        (task(type=TaskType.DENO, permissions=Permissions()), []),  # which Deno itself keeps
        (task(type=TaskType.SHELL, limits=Limits(output=10)), []),  # which the daemon keeps
        (job(), []),
    ],
)
def test_permissions_and_limits_that_nothing_enforces_are_told(load, target, said):
    def told(text):
        subject = Subject(targets={target.id: target}, environ={"PATH": "/nowhere"})
        found = config.hazards(load(text).settings, subject)
        return [one.message for one in found if one.code == "W012"]

    found = told('sandbox = "off"')
    assert [one.split("”")[1].split(", and")[0].split(", which")[0].strip() for one in found] == said
    assert told("") == []


def test_a_broad_true_written_out_counts_for_env_too_but_not_in_a_preset(load):
    written = '[[jobs]]\nid="a"\nentrypoint="a.py"\npermissions = { env = true }\n'
    preset = '[[jobs]]\nid="a"\nentrypoint="a.py"\npermissions = "minimal"\n'
    granted = job(runtime=RunnerMode.SUBPROCESS, permissions=Permissions(env=True))
    assert codes(load, granted, text=written) == ["W004"]
    assert codes(load, granted, text=preset) == []


def test_a_warning_stands_where_its_key_stands(load):
    text = '[[jobs]]\nid = "a"\nentrypoint = "a.py"\nmax_retries = 16\n'
    settings = load(text).settings
    (problem,) = config.hazards(settings, Subject(targets={"a": job(max_retries=16)}))
    assert (problem.path, problem.line, problem.column) == ("jobs[0].max_retries", 4, 1)


@pytest.mark.parametrize(
    ("text", "environ", "code"),
    [
        ("", {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://h:4318"}, "W109"),
        ('[api]\nlisten = "127.0.0.1:8091"', {}, "W111"),
    ],
)
def test_what_this_version_cannot_do_has_its_code(load, text, environ, code):
    settings = load(text, environ=environ).settings
    found = config.unavailable(settings)
    assert [problem.code for problem in found] == [code]
    assert "not available in this version" in found[0].message


def test_what_belongs_to_other_commands_does_not_stop_a_daemon():
    assert "W111" not in REFUSED_BY_DAEMON
    assert {"W103", "W109"} <= REFUSED_BY_DAEMON


def test_quiet_exporters_need_nothing(load):
    settings = load("", environ={"OTEL_TRACES_EXPORTER": "none", "OTEL_SERVICE_NAME": "x"}).settings
    assert config.unavailable(settings) == []


def test_a_provider_whose_server_nothing_names_is_an_error(load):
    (problem,) = load('queue_provider = "redis"').problems
    assert (problem.code, problem.path, problem.line) == ("E030", "queue_provider", 1)
    assert "REDIS_URL" in problem.hint
    assert load('queue_provider = "redis"', environ={"REDIS_URL": "redis://h"}).problems == []
