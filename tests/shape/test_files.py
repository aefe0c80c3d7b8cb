"""The house rules about files, kept by a machine: length, names, what no file may contain."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.fresh import PACKAGE, ROOT

MOST_LINES = 300
CODE = (".py", ".sql", ".lua")
NAMES_THAT_SAY_NOTHING = {"common", "helper", "helpers", "manager", "managers", "misc", "util", "utils"}
TOO_WIDE = {"BaseException", "Exception"}


def repository_files() -> list[Path]:
    """Every file that is, or is about to be, in the repository."""
    try:
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"the list of files comes from git: {error}")
    paths = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in paths if path.is_file()]


def code_files() -> list[Path]:
    return [path for folder in (PACKAGE, ROOT / "tests") for path in folder.rglob("*") if path.suffix in CODE]


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_no_file_of_code_is_too_long_to_be_read_at_one_sitting():
    lengths = {shown(path): len(path.read_text().splitlines()) for path in code_files()}
    assert lengths
    assert {name: length for name, length in lengths.items() if length > MOST_LINES} == {}


def test_every_file_name_says_what_the_file_is_about():
    parts = {shown(path): {*path.relative_to(ROOT).parts[:-1], path.stem} for path in code_files()}
    assert [name for name, words in parts.items() if words & NAMES_THAT_SAY_NOTHING] == []


def test_no_file_names_a_place_on_somebodys_machine():
    homes = "|".join(("/" + "home/[a-z]", "/" + "Users/[A-Za-z]", "/" + "root/"))
    here = "|".join(re.escape(str(place)) for place in (ROOT, Path.home()) if len(place.parts) > 2)
    pattern = re.compile(homes + (f"|{here}" if here else ""))
    found = []
    for path in repository_files():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        found += [f"{shown(path)}: {match.group()}" for match in pattern.finditer(text)]
    assert found == []


def swallowed(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Find handlers that swallow everything without a word."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                yield node.lineno, "a bare `except:`"
            elif names_in(node.type) & TOO_WIDE and all(is_nothing(line) for line in node.body):
                yield node.lineno, "`except Exception:` that does nothing"
        elif isinstance(node, ast.Call) and names_in(node.func) & {"suppress"}:
            yield from ((a.lineno, "`suppress(Exception)`") for a in node.args if names_in(a) & TOO_WIDE)


def names_in(node: ast.AST) -> set[str]:
    names = {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}
    return names | {child.attr for child in ast.walk(node) if isinstance(child, ast.Attribute)}


def is_nothing(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        return isinstance(statement.value, ast.Constant)
    return isinstance(statement, ast.Pass | ast.Continue)


def test_no_error_is_swallowed_without_a_word():
    found = [
        f"{shown(path)}:{line}: {what}"
        for path in PACKAGE.rglob("*.py")
        for line, what in swallowed(ast.parse(path.read_text()))
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "try: f()\nexcept: g()",
        "try: f()\nexcept Exception: pass",
        "try: f()\nexcept (OSError, BaseException): ...",
        "with contextlib.suppress(Exception): f()",
    ],
)
def test_the_search_for_swallowed_errors_finds_them(code):
    assert len(list(swallowed(ast.parse(code)))) == 1


def test_every_dependency_and_every_lint_exception_has_its_reason():
    lines = (ROOT / "pyproject.toml").read_text().splitlines()
    settings = tomllib.loads("\n".join(lines))
    project, ruff = settings["project"], settings["tool"]["ruff"]["lint"]
    reasoned = [*project["dependencies"], *ruff["ignore"]]
    reasoned += [code for codes in ruff["per-file-ignores"].values() for code in codes]
    bare = [
        item
        for item in reasoned
        if not any(
            f'"{item}",' in line and line.partition(f'"{item}",')[2].strip().startswith("#") for line in lines
        )
    ]
    assert bare == []


def test_every_dependency_is_imported_somewhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = {re.split(r"[^A-Za-z0-9_-]", item)[0].replace("-", "_") for item in project["dependencies"]}
    data_only = {"tzdata"}
    source = "\n".join(path.read_text() for path in PACKAGE.rglob("*.py"))
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", source, re.MULTILINE))
    assert names - data_only - imported == set()


def test_every_make_target_is_explained_by_make_help():
    text = (ROOT / "Makefile").read_text()
    targets = re.search(r"^\.PHONY: (.+)$", text, re.MULTILINE).group(1).split()
    help_text = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^  make (\w+) +\S", help_text, re.MULTILINE) == targets
