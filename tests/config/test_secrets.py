"""Secrets print as `***` wherever they end up."""

import json
import pickle
import traceback

import pytest

from netscript_workers.config import Secret, SecretUrl, Settings
from netscript_workers.config.secret import mask_url

PASSWORD = "s3cr3t-Pa55"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        (f"redis://:{PASSWORD}@cache.example:6379/0", "redis://***@cache.example:6379/0"),
        (f"postgresql://app:{PASSWORD}@db/orders?sslmode=require", "postgresql://***@db/orders?***"),
        ("redis://cache/1", "redis://cache/1"),
        (f"amqp://u:{PASSWORD}@[::1]:5672/", "amqp://***@[::1]:5672/"),
        (
            f"redis://u:{PASSWORD}@one:7000,two:7001,[::1]:7002/0",
            "redis://***@one:7000,two:7001,[::1]:7002/0",
        ),
        (f"redis://u:x,{PASSWORD}@one,two/0", "redis://***@one,two/0"),
        (f"redis://u:{PASSWORD},x/y@one,two/0", "***"),
        (f"redis://u:{PASSWORD}/x@cache/0", "***"),
        (f"redis://u:12#{PASSWORD}@cache/0", "redis://***"),
        (PASSWORD, "***"),
        (f"redis:{PASSWORD}", "***"),
    ],
)
def test_a_url_is_shown_with_its_host_and_without_what_is_secret(url, shown):
    assert mask_url(url) == shown
    assert str(SecretUrl(url)) == shown
    assert PASSWORD not in repr(SecretUrl(url))


@pytest.mark.parametrize(
    ("url", "splits"),
    [
        ("redis://one:7000,two,[::1]:7002/0", True),
        ("postgresql://u:p@a,b:5433/name?target_session_attrs=read-write", True),
        ("postgresql:///name?host=/run/postgresql", True),
        ("unix:///run/redis.sock", True),
        ("redis://one:7000,two:port/0", False),
        ("redis://one:7000,two:0/0", False),
        ("redis://one:port", False),
    ],
)
def test_the_port_of_each_host_is_a_number(url, splits):
    assert SecretUrl(url).splits is splits


def test_a_secret_does_not_leave_by_any_door():
    secret = Secret(PASSWORD)
    assert f"{secret}" == str(secret) == "***"
    assert f"{secret:>5}" == "  ***"
    assert PASSWORD not in repr([secret])
    assert secret == Secret(PASSWORD)
    assert secret.reveal() == PASSWORD
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_settings_print_without_secrets(load):
    text = (
        f'[connections]\nredis_url = "redis://u:{PASSWORD}@h"\n[api]\ntoken = "{PASSWORD}"\n'
        f'[[tasks]]\nid = "t"\nentrypoint = "t.ts"\nenv = {{ KEY = "{PASSWORD}" }}\n'
    )
    loaded = load(text)
    settings = loaded.settings
    assert settings.api.token.reveal() == PASSWORD
    for shown in (
        repr(settings.connections),
        str(settings.api),
        settings.model_dump_json(),
        json.dumps({path: origin.value for path, origin in loaded.origins.items()}),
    ):
        assert PASSWORD not in shown
    assert loaded.origins["api.token"].value == "***"


@pytest.mark.parametrize(
    "text",
    [
        f'[connections]\nredis_url = "http://{PASSWORD}@h"',
        f'[connections]\nredis_url = ["{PASSWORD}"]',
        f'[connections]\ndatabase_url = "{PASSWORD}"',
        f'connections = "{PASSWORD}"',
        f'[api]\ntoken = {{ value = "{PASSWORD}" }}',
        f'[connections]\ndeno_kv_path = "https://{PASSWORD}@h/x"',
        f'[[tasks]]\nid = "t"\nentrypoint = "t.ts"\nenv = ["{PASSWORD}"]',
    ],
)
def test_no_error_echoes_a_secret(load, text):
    loaded = load(text)
    assert loaded.settings is None
    assert PASSWORD not in "".join(map(repr, loaded.problems))


def test_no_traceback_of_the_models_echoes_a_secret():
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(
            {"connections": {"redis_url": f"http://{PASSWORD}"}, "api": {"token": [PASSWORD]}}
        )
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))
    assert PASSWORD not in str(caught.value)


def test_a_variable_with_a_bad_url_is_named_and_not_shown(load):
    (problem,) = load("", environ={"DATABASE_URL": f"mysql://u:{PASSWORD}@h/x"}).problems
    assert "DATABASE_URL" in problem.message
    assert PASSWORD not in repr(problem)


@pytest.mark.parametrize("rest", ["@h:99999/0", "@h:0/0", "/x@h:6379/0", "@[::1/0"])
def test_a_url_without_a_possible_port_is_an_error_and_not_shown(load, rest):
    (problem,) = load(f'[connections]\nredis_url = "redis://u:{PASSWORD}{rest}"').problems
    assert (problem.code, problem.path, problem.line) == ("E019", "connections.redis_url", 2)
    assert PASSWORD not in repr(problem)


def test_a_list_of_hosts_is_a_database_url(load):
    loaded = load('[connections]\ndatabase_url = "postgresql://u@a:5432,b:5433/x"')
    assert not loaded.problems


def test_references_are_followed_and_their_origin_names_them(load, tmp_path):
    (tmp_path / "token").write_text(f"{PASSWORD}\n")
    text = '[connections]\nredis_url = "env:CACHE"\n[api]\ntoken = "file:token"\n'
    loaded = load(text, environ={"CACHE": f"redis://:{PASSWORD}@h"})
    assert loaded.settings.api.token.reveal() == PASSWORD
    assert loaded.settings.connections.redis_url.reveal() == f"redis://:{PASSWORD}@h"
    assert loaded.origins["connections.redis_url"].detail.endswith("config.toml:2 (env:CACHE)")
    assert loaded.origins["api.token"].detail.endswith("config.toml:4 (file:token)")


def test_a_reference_that_leads_to_nothing_names_the_place(load):
    problems = load('[connections]\nredis_url = "env:NOPE"\namqp_url = "file:nope"\n').problems
    assert [(p.code, p.line) for p in problems] == [("E007", 2), ("E007", 3)]
    assert "NOPE" in problems[0].message
