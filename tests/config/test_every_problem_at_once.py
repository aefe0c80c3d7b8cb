"""Every mistake of a file is reported in one go, each at its place."""

import pytest

from netscript_workers.config import CODES

TEN_MISTAKES = """\
concurency = 4
lease = "10"
runtime = "webworker"

[log]
level = 3

[connections]
redis_url = "http://cache:6379"

[[groups]]
topic = "mail"
scaling = { concurrency = 0 }

[[groups.jobs]]
id = "Send Mail"
entrypoint = "send.py"

[[jobs]]
id = "report"
schedule = "61 * * * *"
entrypoint = "report.py"
maxRetries = 1
max_retries = 2
permissions = { net = ["a.example,b.example"] }

[[jobs]]
id = "cleanup"
"""

WHERE = [
    ("E010", "concurency", 1, 1),
    ("E016", "lease", 2, 1),
    ("E014", "runtime", 3, 1),
    ("E014", "log.level", 6, 1),
    ("E019", "connections.redis_url", 9, 1),
    ("E013", "groups[0].scaling.concurrency", 13, 13),
    ("E018", "groups[0].jobs[0].id", 16, 1),
    ("E021", "jobs[0].schedule", 21, 1),
    ("E011", "jobs[0].max_retries", 24, 1),
    ("E020", "jobs[0].permissions.net", 25, 17),
    ("E015", "jobs[1].entrypoint", 27, 3),
]


def test_a_file_with_many_mistakes_yields_them_all_with_line_and_column(found):
    assert sorted(found(TEN_MISTAKES)) == sorted(WHERE)


def test_every_problem_says_what_is_wrong_and_names_the_file(load, tmp_path):
    for problem in load(TEN_MISTAKES).problems:
        assert problem.file == str(tmp_path / "config.toml")
        assert problem.code in CODES
        assert len(problem.message) > 10


def test_an_unknown_key_names_the_nearest_known_one(load):
    (problem,) = load("concurency = 4").problems
    assert "did you mean “concurrency”?" in problem.hint


def test_a_type_that_no_task_has_is_named_once_with_the_nearest_one(load):
    (problem,) = load('[[tasks]]\nid = "t"\nentrypoint = "t.sh"\ntype = "shel"\n').problems
    assert (problem.code, problem.message.count("'shel'")) == ("E014", 1)
    assert problem.hint == "did you mean “shell”?"


def test_an_unknown_key_that_belongs_into_a_table_says_which(load):
    (problem,) = load('redis_url = "redis://h"').problems
    assert problem.hint == "did you mean “redis_url” in the table [connections]?"
    (problem,) = load('logLevel = "info"').problems
    assert problem.hint == "did you mean “level” in the table [log]?"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("concurrency = true", "E012"),
        ("concurrency = 2.0", "E012"),
        ('concurrency = "2"', "E012"),
        ("enabled = 1", "E012"),
        ("shutdown_timeout = true", "E016"),
        ("shutdown_timeout = 1.5", "E016"),
        ("shutdown_timeout = -1", "E016"),
        ("lease = 999", "E013"),
        ('max_payload_bytes = "1 MegaByte"', "E017"),
        ('queue_name = "a b"', "E018"),
        ("groups = 3", "E012"),
        ("groups = [3]", "E012"),
        ("log = []", "E012"),
        ('[metrics]\nlisten = "9464"', "E019"),
        ('[api]\nlisten = "0.0.0.0:8091"', "E026"),
        ('[connections]\ndeno_kv_path = "https://api.deno.com/x"', "E019"),
        ('[[groups]]\ntopic="a"\nretention = { kv_days = 0 }', "E013"),
        ('[[jobs]]\nid="a"\nentrypoint="a.py"\npriority=101', "E013"),
        ('[[jobs]]\nid="a"\nentrypoint="a.py"\ntimezone="Mars/Olympus"', "E022"),
        ('[[jobs]]\nid="a"\nentrypoint="a.py"\npermissions="netwrok"', "E020"),
        ('[[jobs]]\nid="a"\nentrypoint="a.py"\nmetadata = { when = 2026-01-01 }', "E012"),
        ('[[tasks]]\nid="a"\nentrypoint="a.ts"\nenv = { A = 1 }', "E012"),
        ('[[tasks]]\nid="a"\nentrypoint="a.py"\nmetadata = { pythonConfig = { pythonPth = "x" } }', "E010"),
        ('require_permissions = true\n[[tasks]]\nid="a"\nentrypoint="a.ts"', "E027"),
        ('[[groups]]\ntopic="a"\n[[groups]]\ntopic="a"', "E024"),
        ('[[groups]]\ntopic="a"\n[[groups.jobs]]\nid="j"\nentrypoint="j.py"\ntopic="b"', "E025"),
    ],
)
def test_a_wrong_value_has_its_code(load, text, code):
    loaded = load(text)
    assert [problem.code for problem in loaded.problems] == [code]
    assert loaded.settings is None


def test_two_targets_with_one_id_name_both_places(load):
    text = (
        '[[jobs]]\nid = "a"\nentrypoint = "a.py"\n'
        '[[groups]]\ntopic = "t"\n[[groups.tasks]]\nid = "a"\nentrypoint = "b.ts"\n'
    )
    (problem,) = load(text).problems
    assert (problem.code, problem.path, problem.line) == ("E023", "groups[0].tasks[0].id", 7)
    assert "jobs[0].id" in problem.message
    assert ":2:1" in problem.message


def test_what_is_right_in_a_wrong_file_is_kept_for_further_checks(load):
    loaded = load('concurrency = 0\nlease = "45s"\n[[jobs]]\nid = "a"\nentrypoint = "a.py"\ntimeout = "x"\n')
    assert loaded.settings is None
    assert loaded.partial.lease == 45_000
    assert [d.id for d in loaded.partial.declarations()] == ["a"]
