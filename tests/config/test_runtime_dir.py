"""The runtime directory: which version is live, what it holds, and what is wrong with it."""

import json
from pathlib import Path

import pytest

from netscript_workers.config import fingerprint, read_runtime_dir
from netscript_workers.domain.target import Source

TASK = {"id": "greet", "runtime": "shell", "entrypoint": "./greet.sh", "timeout": 30_000, "maxRetries": 3}


@pytest.fixture
def write(tmp_path):
    def write_file(name: str, content: object) -> None:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))

    return write_file


def tasks(version, *tasks):
    return {"version": version, "tasks": list(tasks)}


def test_the_originals_shape_becomes_declarations_of_the_source_runtime(write, tmp_path):
    write("tasks/v1.0.0.json", tasks("1.0.0", TASK))
    layer = read_runtime_dir(tmp_path)
    assert layer.problems == ()
    (task,) = layer.tasks
    assert (task.id, task.type, task.entrypoint) == ("greet", "shell", "./greet.sh")
    assert (task.timeout, task.max_retries, task.source) == (30_000, 3, Source.RUNTIME)
    assert task.file == str(tmp_path / "tasks" / "v1.0.0.json")


def test_nothing_there_is_an_empty_layer(tmp_path):
    layer = read_runtime_dir(tmp_path / "nowhere")
    assert (layer.tasks, layer.problems, layer.is_broken) == ((), (), False)


@pytest.mark.parametrize(
    ("current", "live"),
    [
        (None, "v1.10.0"),
        ("1.2.0\n", "v1.2.0"),
        ("v1.9.0", "v1.9.0"),
        ({"default": "1.2.0"}, "v1.2.0"),
        ({"*": "1.9.0"}, "v1.9.0"),
    ],
)
def test_the_live_version_is_the_one_named_else_the_highest(write, tmp_path, current, live):
    for version in ("1.2.0", "1.9.0", "1.10.0", "1.10.0-rc1"):
        write(f"tasks/v{version}.json", tasks(version, {**TASK, "name": version}))
    if current is not None:
        write("current", current)
    layer = read_runtime_dir(tmp_path)
    assert layer.problems == ()
    assert [file.endswith(f"/{live}.json") for file in layer.files] == [True]
    assert layer.tasks[0].name == live.removeprefix("v")


def test_each_topic_may_have_its_own_version(write, tmp_path):
    write(
        "tasks/v1.0.0.json", tasks("1.0.0", {**TASK, "name": "old"}, {**TASK, "id": "cut", "topic": "media"})
    )
    write(
        "tasks/v2.0.0.json",
        tasks("2.0.0", {**TASK, "name": "new"}, {**TASK, "id": "paste", "topic": "media"}),
    )
    write("current", {"media": "1.0.0"})
    layer = read_runtime_dir(tmp_path)
    assert layer.problems == ()
    assert {task.id: task.name for task in layer.tasks if task.topic is None} == {"greet": "new"}
    assert "cut" in [task.id for task in layer.tasks]


def test_a_pointer_beside_the_versions_is_for_its_kind_alone(write, tmp_path):
    for version in ("1.0.0", "2.0.0"):
        write(f"tasks/v{version}.json", tasks(version, TASK))
        write(f"jobs/v{version}.json", {"version": version, "jobs": []})
    write("current", "2.0.0")
    write("jobs/current", "1.0.0")
    files = [str(Path(file).relative_to(tmp_path)) for file in read_runtime_dir(tmp_path).files]
    assert files == ["tasks/v2.0.0.json", "jobs/v1.0.0.json"]


def test_overrides_have_the_fields_of_targets(write, tmp_path):
    job = {
        "id": "pay",
        "enabled": False,
        "timeout": "9s",
        "maxRetries": 0,
        "concurrency": 4,
        "schedule": "@daily",
    }
    write("jobs/v1.0.0.json", {"version": "1.0.0", "jobs": [job]})
    layer = read_runtime_dir(tmp_path)
    assert layer.problems == ()
    assert dict(layer.fields_for("pay", "default")) == {
        "enabled": False,
        "timeout": 9_000,
        "max_retries": 0,
        "max_concurrency": 4,
        "schedule": "@daily",
    }
    assert layer.fields_for("other", "default") == {}


@pytest.mark.parametrize(
    ("files", "code", "words"),
    [
        ({"tasks/v1.0.0.json": '{"version":\n oops}'}, "E030", "broken JSON"),
        ({"tasks/v1.0.0.json": "[]"}, "E030", "must hold an object"),
        ({"tasks/latest.json": "{}"}, "E030", "is no version"),
        ({"tasks/v1.0.0.json": tasks("1.0.1")}, "E030", "says that it is version '1.0.1'"),
        ({"tasks/v1.0.0.json": tasks("1.0.0"), "current": "2.0.0"}, "E030", "has no version 2.0.0"),
        ({"tasks/v1.0.0.json": tasks("1.0.0"), "current": "latest"}, "E030", "names no version"),
        ({"tasks/v1.0.0.json": tasks("1.0.0", {**TASK, "timout": 1})}, "E010", "timout"),
        ({"tasks/v1.0.0.json": tasks("1.0.0", {**TASK, "runtime": "perl"})}, "E014", "perl"),
        ({"tasks/v1.0.0.json": tasks("1.0.0", {"id": "x"})}, "E015", "entrypoint"),
        ({"tasks/v1.0.0.json": tasks("1.0.0", TASK, TASK)}, "E023", "two tasks"),
        (
            {"jobs/v1.0.0.json": {"version": "1.0.0", "jobs": [{"id": "a", "schedule": "never"}]}},
            "E021",
            "schedule",
        ),
    ],
)
def test_what_cannot_be_used_is_reported_with_its_file(write, tmp_path, files, code, words):
    for name, content in files.items():
        write(name, content)
    layer = read_runtime_dir(tmp_path)
    assert layer.is_broken
    problem = layer.problems[0]
    assert problem.code == code
    assert words in problem.message
    assert problem.file.startswith(str(tmp_path))


def test_broken_json_is_reported_with_line_and_column(write, tmp_path):
    write("tasks/v1.0.0.json", '{"version":\n oops}')
    (problem,) = read_runtime_dir(tmp_path).problems
    assert (problem.line, problem.column) == (2, 2)


def test_every_change_changes_the_fingerprint(write, tmp_path):
    seen = [fingerprint(tmp_path)]
    write("tasks/v1.0.0.json", tasks("1.0.0"))
    seen.append(fingerprint(tmp_path))
    write("tasks/v1.0.0.json", tasks("1.0.0", TASK))
    seen.append(fingerprint(tmp_path))
    write("current", "1.0.0")
    seen.append(fingerprint(tmp_path))
    (tmp_path / "current").unlink()
    seen.append(fingerprint(tmp_path))
    assert len(set(seen)) == 4
    assert seen[4] == seen[2]
