"""Runtimes of other packages, found through the entry point group."""

import pytest

from netscript_workers import config
from netscript_workers.authoring.task_types import task_type
from netscript_workers.errors import DefinitionError
from netscript_workers.runtimes.plugins import Runtimes

RUBY = """
from netscript_workers.ports.runtime import Tool

class Ruby:
    def argv(self, run):
        return ("ruby", run.target.path, *run.target.args)

    def tool(self, target, surroundings):
        return Tool("ruby", "install Ruby")

class Half:
    def argv(self, run):
        return ()
"""


@pytest.fixture
def load(tmp_path):
    def load_text(text):
        (tmp_path / "config.toml").write_text(text)
        return config.load(config.LoadOptions(path=tmp_path / "config.toml", cwd=tmp_path))

    return load_text


@pytest.fixture
def package(tmp_path, monkeypatch):
    """Install a package with the entry points named."""

    def install(**points: str) -> None:
        (tmp_path / "some_runtimes.py").write_text(RUBY)
        info = tmp_path / "some_runtimes-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: some-runtimes\nVersion: 1.0\n")
        lines = [f"{name} = some_runtimes:{value}" for name, value in points.items()]
        (info / "entry_points.txt").write_text("[netscript_workers.runtimes]\n" + "\n".join(lines) + "\n")
        monkeypatch.syspath_prepend(str(tmp_path))

    return install


def test_a_package_brings_a_runtime_of_its_own(package, load):
    package(ruby="Ruby")
    assert task_type("ruby") == "ruby"
    assert Runtimes().get("ruby").tool(None, None).program == "ruby"
    loaded = load('[[tasks]]\nid = "a"\ntype = "ruby"\nentrypoint = "a.rb"\n')
    assert loaded.settings.tasks[0].type == "ruby"


@pytest.mark.parametrize(
    ("value", "words"), [("Half", "lacks `argv` or `tool`"), ("Gone", "cannot be loaded")]
)
def test_a_runtime_that_cannot_be_used_says_why(package, value, words):
    package(broken=value)
    with pytest.raises(DefinitionError, match=words):
        Runtimes().get("broken")


def test_an_unknown_type_in_the_config_names_the_known_ones(load):
    (problem,) = load('[[tasks]]\nid = "a"\ntype = "pythn"\nentrypoint = "a.rb"\n').problems
    assert (problem.code, problem.line) == ("E014", 3)
    assert problem.hint == "did you mean “python”?"
