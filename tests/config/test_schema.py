"""The JSON Schema that `workers schema` prints, judged by a real validator."""

import tomllib
from pathlib import Path

import pytest

from netscript_workers.config import json_schema

jsonschema = pytest.importorskip("jsonschema", reason="the validator is not installed")
EXAMPLE = Path(__file__).resolve().parents[2] / "config.example.toml"


@pytest.fixture(scope="module")
def validator():
    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def test_the_example_fits_the_schema(validator):
    assert [error.message for error in validator.iter_errors(tomllib.loads(EXAMPLE.read_text()))] == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        'jobsDir = "x"\nmaxPayloadBytes = "1M"\nlease = "30s"',
        '[[jobs]]\nid = "a"\nentrypoint = "a.py"\nmaxRetries = 2\npermissions = "network"',
        '[[tasks]]\nid = "a"\nentrypoint = "a.ts"\nruntime = "deno"\npermissions = { net = ["a"], run = false }',
        '[[groups]]\ntopic = "m"\nscaling = { concurrency = 3, mode = "distributed" }\nretention = { kvDays = 3 }',
    ],
)
def test_both_spellings_fit(validator, text):
    assert validator.is_valid(tomllib.loads(text))


@pytest.mark.parametrize(
    "text",
    [
        "concurency = 2",
        "concurrency = 0",
        'jobs_dir = "a"\njobsDir = "b"',
        'runtime = "thread"',
        'lease = "soon"',
        '[[jobs]]\nid = "a"',
        '[[jobs]]\nid = "A b"\nentrypoint = "a.py"',
        '[[tasks]]\nid = "a"\nentrypoint = "a.ts"\ntype = "deno"\nruntime = "deno"',
        '[[tasks]]\nid = "a"\nentrypoint = "a.ts"\npermissions = { net = ["a,b"] }',
    ],
)
def test_what_validate_refuses_the_editor_marks_too(validator, text):
    assert not validator.is_valid(tomllib.loads(text))
