"""Configurations and tasks in Python, and permissions."""

import re
from pathlib import Path

import pytest

from netscript_workers import (
    create_permission_preset,
    define_jobs,
    define_task,
    define_workers,
    job,
    merge_permissions,
    permissions,
)
from netscript_workers.domain.permissions import PRESETS, Permissions
from netscript_workers.domain.target import Backoff, CatchUp, Concept, Limits, Source, TaskType
from netscript_workers.errors import DefinitionError


def test_define_workers_keeps_what_it_is_given_as_plain_values():
    task = define_task("resize").entrypoint("./resize.ts").permissions(permissions.network).build()
    definition = define_workers(
        {"jobsDir": Path("jobs"), "concurrency": 4},
        tasks=[task],
        groups=({"topic": "mail", "jobs": define_jobs({"id": "send", "entrypoint": "send.py"})},),
        runtime=TaskType.PYTHON,
    )
    assert definition.file == __file__
    assert definition.line > 0
    assert definition.values["jobsDir"] == "jobs"
    assert definition.values["runtime"] == "python"
    assert definition.values["groups"] == [
        {"topic": "mail", "jobs": [{"id": "send", "entrypoint": "send.py"}]}
    ]
    (plain,) = definition.values["tasks"]
    assert type(plain) is dict
    assert plain["permissions"] == {
        "net": True,
        "read": False,
        "write": False,
        "env": True,
        "run": False,
        "ffi": False,
        "import": [],
    }


def test_define_workers_refuses_what_it_cannot_read():
    with pytest.raises(DefinitionError, match="'concurrency' twice"):
        define_workers({"concurrency": 1}, concurrency=2)
    with pytest.raises(DefinitionError, match="takes a mapping"):
        define_workers([])


def test_define_jobs_takes_one_by_one_or_a_list():
    one, two = {"id": "a", "entrypoint": "a.py"}, {"id": "b", "entrypoint": "b.py"}
    assert define_jobs(one, two) == define_jobs([one, two]) == [one, two]


def test_define_jobs_says_that_decorated_functions_are_found_by_themselves():
    @job("x")
    def x(ctx): ...

    with pytest.raises(DefinitionError, match="found by itself"):
        define_jobs(x)
    with pytest.raises(DefinitionError, match="takes mappings, not 3"):
        define_jobs([3])


def test_a_task_has_everything_it_was_told():
    task = (
        define_task("resize")
        .runtime("deno")
        .entrypoint("./resize.ts")
        .timeout(30_000)
        .retry(3, "2s", "exponential")
        .permissions({"net": ["cdn.example.com"], "read": True})
        .args("--fast", "-v")
        .env({"MODE": "x"})
        .cwd("work")
        .limits({"memory": "1G"})
        .import_map("./map.json")
        .schedule("@daily", "Europe/Berlin", "all")
        .name("Resize")
        .description("makes it small")
        .topic("media")
        .max_concurrency(2)
        .priority(10)
        .persist(False)
        .enabled(True)
        .tags("a", "b")
        .metadata({"pythonConfig": {"venvPath": ".venv"}})
        .retention({"kv_days": 3})
        .build()
    )
    said = task.declaration
    assert (said.id, said.concept, said.source, said.file) == (
        "resize",
        Concept.TASK,
        Source.DIRECTORY,
        __file__,
    )
    assert (said.type, said.timeout, said.max_retries, said.retry_delay) == (TaskType.DENO, 30_000, 3, 2_000)
    assert (said.backoff, said.catch_up, said.timezone) == (Backoff.EXPONENTIAL, CatchUp.ALL, "Europe/Berlin")
    assert said.permissions == Permissions(net=("cdn.example.com",), read=True)
    assert said.limits == Limits(memory=1 << 30)
    assert said.args == ("--fast", "-v")
    assert task["entrypoint"] == "./resize.ts"
    assert task["limits"] == {"memory": 1 << 30}
    assert "source" not in task
    assert "cwd" in task


def test_arguments_may_be_given_as_a_list():
    assert define_task("x").entrypoint("x").args(["a", "b"]).build()["args"] == ("a", "b")


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: define_task("Bad Id"), "is no id"),
        (lambda: define_task("x").build(), "has no entrypoint"),
        (lambda: define_task("x").runtime("perl"), "runtime must be one of deno, python"),
        (lambda: define_task("x").runtime("den"), "did you mean 'deno'"),
        (lambda: define_task("x").timeout(0), "timeout must be at least 1 ms"),
        (lambda: define_task("x").retry(-1), "retry must be a whole number, at least 0"),
        (lambda: define_task("x").args("a", 3), "args must be a list of strings"),
        (lambda: define_task("x").env({"A": 1}), "env must be a mapping of strings to strings"),
        (lambda: define_task("x").permissions({"net": ["a\nb"]}), "permissions.net cannot grant"),
    ],
)
def test_a_task_defined_wrongly_says_what_and_where(build, words):
    with pytest.raises(DefinitionError, match=re.escape(words)) as caught:
        build()
    assert caught.value.file == __file__


def test_every_preset_is_an_attribute():
    for name, preset in PRESETS.items():
        assert getattr(permissions, name) == preset
        assert permissions(name) == preset
        assert create_permission_preset(name.replace("_", "-")) == preset


def test_grants_replace_those_of_the_preset():
    assert permissions("network", net=["a"]) == Permissions(net=("a",), env=True)
    assert permissions(read=["/data"]) == Permissions(read=("/data",))
    assert create_permission_preset("network", {"env": False}) == Permissions(net=True)
    assert create_permission_preset("minimal", Permissions(net=("x",))) == Permissions(env=True, net=("x",))
    assert permissions(import_=["jsr.io"]) == Permissions(import_=("jsr.io",))


def test_merging_grants_what_any_grants():
    merged = merge_permissions("minimal", {"net": ["a"]}, Permissions(net=("b", "a"), read=True))
    assert merged == Permissions(env=True, net=("a", "b"), read=True)


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: permissions("nothing"), "permissions has no preset 'nothing'"),
        (lambda: permissions(nett=True), "did you mean 'net'"),
        (lambda: permissions(net="a"), "permissions.net must be true, false or a list"),
        (lambda: merge_permissions(3), "must be a mapping or a preset's name"),
    ],
)
def test_wrong_permissions_are_refused(build, words):
    with pytest.raises(DefinitionError, match=re.escape(words)):
        build()
