"""Findings of `workers validate` as text, and as annotations of GitHub Actions."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from netscript_workers.cli import render
from netscript_workers.domain.problem import Problem, Severity

if TYPE_CHECKING:
    from netscript_workers.cli.verdict import Verdict


def print_findings(verdict: "Verdict", *, valid: bool) -> None:
    """Print each finding with its place and hint, then one line that sums up."""
    colour = render.has_colour(sys.stdout)
    for problem in (*verdict.errors, *verdict.warnings):
        render.data(_line(problem, colour=colour))
        if problem.hint:
            render.data(f"    {problem.hint}")
    name = _shown(str(verdict.loaded.file)) if verdict.loaded.file else "no config file (defaults)"
    errors, warnings = len(verdict.errors), len(verdict.warnings)
    counts = ", ".join(
        text
        for text in (_counted(errors, "error"), _counted(warnings, "warning"))
        if not text.startswith("0 ")
    )
    verdict_word = "valid" if valid else "not valid"
    render.data(f"{name}: {verdict_word}" + (f" ({counts})" if counts else ""))


def print_annotations(verdict: "Verdict") -> None:
    """Print each finding as a workflow command, so that it shows up beside the line in a pull request."""
    for problem in (*verdict.errors, *verdict.warnings):
        render.data(annotation(problem))


def annotation(problem: Problem) -> str:
    """Write one finding as `::error file=…,line=…,col=…,title=…::message`."""
    kind = "error" if problem.severity is Severity.ERROR else "warning"
    place = (
        ("file", _shown(problem.file) if problem.file else None),
        ("line", problem.line),
        ("col", problem.column),
        ("title", problem.code),
    )
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in place if value is not None)
    subject = f"{problem.path}: " if problem.path else ""
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"::{kind} {properties}::{_escaped(f'{subject}{problem.message}{hint}')}"


def _line(problem: Problem, *, colour: bool) -> str:
    is_error = problem.severity is Severity.ERROR
    word = "error" if is_error else "warning"
    if colour:
        word = f"\x1b[{31 if is_error else 33}m{word}\x1b[0m"
    place = ""
    if problem.file:
        place = _shown(problem.file)
        if problem.line is not None:
            place += f":{problem.line}" + (f":{problem.column}" if problem.column is not None else "")
        place += " "
    subject = f"{problem.path}: " if problem.path else ""
    return f"{place}{word} {problem.code} {subject}{problem.message}"


def _shown(file: str) -> str:
    """Write a file relative to where we are, when it is below."""
    path = Path(file)
    try:
        return str(path.relative_to(Path.cwd()))
    except ValueError:
        return file


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
