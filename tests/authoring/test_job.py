"""`@job` and its options."""

import re

import pytest

from netscript_workers import define_job_handler, job, permissions
from netscript_workers.authoring.definition import definition_of
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Backoff, CatchUp, Limits, Retention, RunnerMode
from netscript_workers.errors import DefinitionError
from support.authoring import handler_of


def test_a_decorated_function_is_returned_as_it_was_and_can_be_called():
    def double(ctx, payload):
        return payload["n"] * 2

    decorated = job("double")(double)
    assert decorated is double
    assert decorated(None, {"n": 4}) == 8


def test_the_definition_tells_where_the_job_stands():
    @job("here")
    def here(ctx): ...

    definition = definition_of(here)
    assert definition is not None
    assert definition.id == "here"
    assert definition.file == __file__
    assert definition.line == here.__code__.co_firstlineno


def test_every_option_arrives_checked_in_the_declaration():
    @job(
        "all",
        name="All",
        topic="webhooks",
        description="does it all",
        schedule="*/5 * * * *",
        timezone="Europe/Berlin",
        catch_up="all",
        timeout="30s",
        max_retries=5,
        retry_delay=250,
        backoff="exponential",
        max_concurrency=3,
        priority=90,
        permissions={"net": ["api.example.com"], "import": ["jsr.io"]},
        limits={"memory": "256M", "cpu_seconds": 3},
        runtime="subprocess",
        tags=["a", "b"],
        metadata={"owner": "team"},
        retention={"kv_days": 1, "db_days": 2},
        enabled=False,
    )
    async def everything(ctx): ...

    said = handler_of(everything, "all").declaration
    assert said.timeout == 30_000
    assert said.retry_delay == 250
    assert said.catch_up is CatchUp.ALL
    assert said.backoff is Backoff.EXPONENTIAL
    assert said.runtime is RunnerMode.SUBPROCESS
    assert said.permissions == Permissions(net=("api.example.com",), import_=("jsr.io",))
    assert said.limits == Limits(memory=256 << 20, cpu_seconds=3)
    assert said.retention == Retention(kv_days=1, db_days=2)
    assert said.tags == ("a", "b")
    assert said.enabled is False
    assert (said.max_retries, said.max_concurrency, said.priority, said.topic) == (5, 3, 90, "webhooks")


def test_what_is_not_said_stays_unset():
    @job("quiet", timeout=None)
    async def quiet(ctx): ...

    said = handler_of(quiet, "quiet").declaration
    assert said.timeout is None
    assert said.topic is None
    assert said.enabled is None


def test_all_bad_options_are_named_at_once_with_place_and_the_nearest_known_one():
    with pytest.raises(DefinitionError) as caught:
        job("bad", time_out=3, timeout=0, priority=101, backoff="fixd", max_retries=True)
    message = str(caught.value)
    assert "did you mean 'timeout'" in message
    assert "timeout must be at least 1 ms" in message
    assert "priority must be a whole number, from 0 to 100, not 101" in message
    assert "did you mean 'fixed'" in message
    assert "max_retries must be" in message
    assert caught.value.file == __file__
    assert caught.value.line is not None
    assert f"{__file__}:{caught.value.line}" in message


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": "soon"}, "timeout is no duration"),
        ({"retry_delay": -1}, "retry_delay is negative"),
        ({"topic": "Web Hooks"}, "topic must be kebab-case"),
        ({"schedule": " "}, "schedule must not be empty"),
        ({"enabled": "yes"}, "enabled must be True or False"),
        ({"tags": "one"}, "tags must be a list of strings"),
        ({"metadata": {"x": object()}}, "metadata has no JSON form"),
        ({"limits": {"memory": "lots"}}, "limits.memory is no size"),
        ({"limits": {"ram": 1}}, "limits has no key 'ram'"),
        ({"retention": {"kv_days": 0}}, "retention.kv_days must be a whole number, at least 1"),
        ({"permissions": {"nett": True}}, "names no permission 'nett'; did you mean 'net'?"),
        ({"permissions": {"net": ["a,b"]}}, "permissions.net cannot grant 'a,b'"),
        ({"permissions": {"ffi": ["x"]}}, "permissions.ffi must be true or false"),
        ({"permissions": "networks"}, "has no preset 'networks'"),
        ({"runtime": "thread"}, "runtime must be one of in-process, web-worker, subprocess"),
    ],
)
def test_a_bad_option_is_refused_with_what_to_write_instead(options, words):
    with pytest.raises(DefinitionError, match=re.escape(words)):
        job("bad", **options)


@pytest.mark.parametrize("bad", ["", "Process_Payment", "a/b", "..", "a b", "-a", 3, None, "x" * 200])
def test_an_id_that_is_not_kebab_case_is_refused(bad):
    with pytest.raises(DefinitionError, match="is no id"):
        job(bad)


def test_a_decorator_without_parentheses_says_what_is_missing():
    with pytest.raises(DefinitionError, match="needs an id"):

        @job
        def forgot(ctx): ...


def test_what_cannot_be_called_cannot_be_a_job():
    with pytest.raises(DefinitionError, match="decorates a function"):
        job("thing")(3)


def test_a_builtin_that_cannot_be_marked_is_refused():
    with pytest.raises(DefinitionError, match="cannot mark"):
        job("thing")(len)


def test_define_job_handler_marks_without_an_id():
    handler = define_job_handler(lambda ctx: 1, timeout="1s")
    definition = definition_of(handler)
    assert definition is not None
    assert definition.id is None
    assert definition.options == {"timeout": 1_000}
    assert definition.file == __file__


def test_a_preset_object_serves_as_permissions():
    @job("net", permissions=permissions.network)
    def net(ctx): ...

    assert handler_of(net).declaration.permissions == Permissions(net=True, env=True)
