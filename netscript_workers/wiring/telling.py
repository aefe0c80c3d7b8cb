"""Problems in words, one a line."""

from netscript_workers.domain.problem import Problem


def told(problem: Problem) -> str:
    """Write one problem on one line."""
    place = problem.file or ""
    if problem.line is not None:
        place += f":{problem.line}"
    key = f"{problem.path}: " if problem.path else ""
    return f"{place + ': ' if place else ''}{problem.code} {key}{problem.message}"
