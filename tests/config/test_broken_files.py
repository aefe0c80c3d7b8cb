"""A file that cannot be read at all: line, column, and what was expected there."""

import pytest


@pytest.mark.parametrize(
    ("text", "line", "column", "words"),
    [
        ("a = 1\nb = \n", 2, 5, "a value was expected"),
        ("concurrency 4\n", 1, 13, "“=” was expected"),
        ("a = 1\n[log\n", 2, 5, "“]” was expected"),
        ('a = "x\n', 1, 7, "ill"),
        ("a = [1, 2\n", 1, 10, "was expected"),
        ("a = 1\na = 2\n", 2, 6, "has a value already"),
        ("a = 1 b = 2\n", 1, 7, "end of the line was expected"),
    ],
)
def test_broken_toml_says_where_and_what_was_expected(load, text, line, column, words):
    (problem,) = load(text).problems
    assert problem.code == "E002"
    assert problem.line == line
    assert words in problem.message
    assert abs(problem.column - column) <= 1 or problem.line != line


def test_bytes_that_are_no_utf8_are_found_by_line_and_column(load, tmp_path):
    (tmp_path / "config.toml").write_bytes(b'a = 1\nqueue_name = "caf\xe9"\n')
    from netscript_workers import config

    loaded = config.load(config.LoadOptions(cwd=tmp_path))
    (problem,) = loaded.problems
    assert (problem.code, problem.line, problem.column) == ("E002", 2, 18)


def test_a_byte_order_mark_is_no_mistake(load):
    assert load("\ufeffconcurrency = 3\n").settings.concurrency == 3


def test_a_named_file_that_is_missing_is_an_error_and_nothing_else_is_taken(load, tmp_path):
    from netscript_workers import config

    (tmp_path / "config.toml").write_text("concurrency = 9")
    loaded = config.load(config.LoadOptions(path=tmp_path / "nope.toml", cwd=tmp_path))
    assert [p.code for p in loaded.problems] == ["E001"]
    assert loaded.settings is None
    loaded = config.load(config.LoadOptions(environ={"WORKERS_CONFIG": "nope.toml"}, cwd=tmp_path))
    assert [p.code for p in loaded.problems] == ["E001"]
    assert "WORKERS_CONFIG" in loaded.problems[0].hint


def test_a_directory_is_no_config_file(tmp_path):
    from netscript_workers import config

    loaded = config.load(config.LoadOptions(path=tmp_path, cwd=tmp_path))
    assert [p.code for p in loaded.problems] == ["E001"]


def test_config_toml_is_found_before_workers_toml(tmp_path):
    from netscript_workers import config

    (tmp_path / "workers.toml").write_text("concurrency = 3")
    assert config.load(config.LoadOptions(cwd=tmp_path)).settings.concurrency == 3
    (tmp_path / "config.toml").write_text("concurrency = 4")
    assert config.load(config.LoadOptions(cwd=tmp_path)).settings.concurrency == 4


class TestPython:
    def test_a_python_config_is_read(self, load):
        text = "from netscript_workers import define_workers\nconfig = define_workers(concurrency=7, jobsDir='j')\n"
        settings = load(text, name="config.py").settings
        assert settings.concurrency == 7
        assert settings.jobs_dir.name == "j"

    def test_mistakes_in_a_python_config_have_line_and_column(self, found):
        text = (
            "from netscript_workers import define_jobs, define_workers\n"
            "JOBS = define_jobs([\n"
            '    {"id": "a", "entrypoint": "a.py", "timeout": "soon"},\n'
            "])\n"
            "config = define_workers(\n"
            "    concurrency=0,\n"
            "    jobs=JOBS,\n"
            '    groups=[{"topic": "mail", "scaling": {"concurrncy": 3}}],\n'
            ")\n"
        )
        assert sorted(found(text, name="config.py")) == [
            ("E010", "groups[0].scaling.concurrncy", 8, 43),
            ("E013", "concurrency", 6, 5),
            ("E016", "jobs[0].timeout", 3, 39),
        ]

    def test_a_syntax_error_has_line_and_column(self, load):
        (problem,) = load("a = 1\nb = (\n", name="config.py").problems
        assert (problem.code, problem.line, problem.column) == ("E003", 2, 5)

    def test_an_exception_names_the_line_that_raised_it(self, load):
        (problem,) = load("a = 1\nb = a / 0\n", name="config.py").problems
        assert (problem.code, problem.line) == ("E003", 2)
        assert "ZeroDivisionError" in problem.message

    def test_a_config_that_exits_does_not_end_us(self, load):
        (problem,) = load("raise SystemExit(0)\n", name="config.py").problems
        assert problem.code == "E003"

    def test_no_definition_and_several_are_refused(self, load):
        assert [p.code for p in load("a = 1\n", name="config.py").problems] == ["E004"]
        two = "from netscript_workers import define_workers\na = define_workers()\nb = define_workers(concurrency=3)\n"
        (problem,) = load(two, name="config.py").problems
        assert problem.code == "E004"
        assert "a, b" in problem.message

    def test_a_python_config_imports_its_neighbours_and_leaves_no_trace(self, load, tmp_path):
        import sys

        (tmp_path / "neighbour_of_config.py").write_text("SLOTS = 5\n")
        text = (
            "from neighbour_of_config import SLOTS\n"
            "from netscript_workers import define_workers\n"
            "c = define_workers(concurrency=SLOTS)\n"
        )
        before = list(sys.path)
        try:
            assert load(text, name="config.py").settings.concurrency == 5
        finally:
            sys.modules.pop("neighbour_of_config", None)
        assert sys.path == before
        assert "_netscript_workers_config" not in sys.modules
