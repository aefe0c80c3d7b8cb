"""`workers init` and `workers add` write files that work, and never over others."""

import ast
import json

import pytest

from netscript_workers.cli import run
from netscript_workers.cli.scaffold import STARTER
from netscript_workers.domain.target import TaskType


@pytest.fixture
def project(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["init"]) == 0
    capsys.readouterr()
    return tmp_path


def test_init_lays_out_a_project_and_tells_what_to_do_next(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(["init", "shop"]) == 0
    told = capsys.readouterr()
    assert told.out.splitlines() == [f"shop/{name}" for name in STARTER]
    assert all((tmp_path / "shop" / name).is_file() for name in STARTER)
    assert "cd shop && workers combined" in told.err
    assert (tmp_path / "shop" / "README.md").read_text().startswith("# shop\n")


def test_init_writes_nothing_where_a_file_of_its_own_is_there_already(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.toml").write_text("concurrency = 9\n")
    assert run(["init"]) == 2
    assert "config.toml" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["config.toml"]
    assert (tmp_path / "config.toml").read_text() == "concurrency = 9\n"


@pytest.mark.parametrize(
    ("name", "file", "function"),
    [
        ("send-mail", "send_mail.py", "send_mail"),
        ("SendMail", "send_mail.py", "send_mail"),
        ("import", "import.py", "job_import"),
        ("3d-render", "3d_render.py", "job_3d_render"),
    ],
)
def test_add_job_writes_a_module_that_python_can_read(project, capsys, name, file, function):
    assert run(["add", "job", name, "--topic", "heavy"]) == 0
    path = project / "workers" / "jobs" / file
    assert capsys.readouterr().out.strip() == str(path)
    tree = ast.parse(path.read_text())
    (written,) = [node for node in tree.body if isinstance(node, ast.AsyncFunctionDef)]
    assert written.name == function
    assert 'topic="heavy"' in path.read_text()


def test_add_job_refuses_what_is_no_name_and_what_is_there(project, capsys):
    assert run(["add", "job", "!!"]) == 2
    assert "no usable name" in capsys.readouterr().err
    assert run(["add", "job", "hello"]) == 2
    assert "exists already" in capsys.readouterr().err


@pytest.mark.parametrize("runtime", list(TaskType))
def test_add_task_writes_a_program_and_a_module_that_makes_a_task_of_it(project, capsys, runtime):
    assert run(["add", "task", "resize-image", "--runtime", runtime.value, "--topic", "heavy"]) == 0
    program, definition = capsys.readouterr().out.splitlines()
    assert definition == str(project / "workers" / "tasks" / "resize_image_task.py")
    assert run(["tasks", "--json"]) == 0
    (task,) = json.loads(capsys.readouterr().out)
    assert (task["id"], task["type"], task["topic"], task["source"]) == (
        "resize-image",
        runtime.value,
        "heavy",
        "directory",
    )
    assert program.endswith(task["entrypoint"])


@pytest.mark.parametrize("runtime", ["python", "shell", "executable"])
def test_the_program_that_add_task_writes_runs(project, capsys, runtime):
    assert run(["add", "task", "3d-render", "--runtime", runtime]) == 0
    capsys.readouterr()
    assert run(["exec", "3d-render", "--payload", '{"name": "Ada"}']) == 0
    told = capsys.readouterr()
    assert "Ada" in json.dumps(json.loads(told.out))
    assert "hello from" in told.err


def test_add_task_refuses_what_is_no_name_and_what_is_there(project, capsys):
    assert run(["add", "task", "!!"]) == 2
    assert "no usable name" in capsys.readouterr().err
    assert (
        run(["add", "task", "a", "--runtime", "python"])
        == run(["add", "task", "b", "--runtime", "shell"])
        == 0
    )
    capsys.readouterr()
    assert run(["add", "task", "a", "--runtime", "shell"]) == 2
    assert "a_task.py exists already" in capsys.readouterr().err
    assert not (project / "workers" / "tasks" / "a.sh").exists()
