"""Paths that a task writes down."""

import os


def from_project(written: str, project: str) -> str:
    """Return a path as an absolute one: relative ones start from `project`, `~` is the home directory."""
    return os.path.normpath(os.path.join(project, os.path.expanduser(written)))  # noqa: PTH118, PTH111 - text in, text out


def program_from(written: str, project: str) -> str:
    """Return a program: a bare name stays one and is looked for in PATH, a path becomes absolute."""
    return from_project(written, project) if "/" in written or os.sep in written else written
