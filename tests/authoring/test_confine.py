"""Entrypoints stay inside their directory."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.authoring.confine import ConfinementError, confine, split_entrypoint


def test_a_file_inside_is_found(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "job.py").touch()
    expected = str((tmp_path / "sub" / "job.py").resolve())
    assert confine("sub/job.py", tmp_path) == expected
    assert confine("./sub/./job.py", str(tmp_path)) == expected


def test_a_link_inside_is_followed(tmp_path):
    (tmp_path / "real.py").touch()
    os.symlink(tmp_path / "real.py", tmp_path / "link.py")
    assert confine("link.py", tmp_path).endswith("real.py")


def test_a_link_out_is_refused_also_by_a_directory(tmp_path):
    root, outside = tmp_path / "root", tmp_path / "outside"
    root.mkdir()
    outside.mkdir()
    (outside / "job.py").touch()
    os.symlink(outside / "job.py", root / "job.py")
    os.symlink(outside, root / "dir")
    for entrypoint in ("job.py", "dir/job.py"):
        with pytest.raises(ConfinementError, match="leads out"):
            confine(entrypoint, root)


def test_a_link_to_itself_is_refused(tmp_path):
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    with pytest.raises(ConfinementError):
        confine("loop", tmp_path)


@pytest.mark.parametrize(
    ("entrypoint", "words"),
    [
        ("/etc/passwd", "is absolute"),
        ("C:\\x.py", "is absolute"),
        ("../x.py", "climbs out"),
        ("a/../../x.py", "climbs out"),
        ("a\\..\\x.py", "climbs out"),
        ("https://example.com/x.ts", "is a URL"),
        ("file:///etc/passwd", "is a URL"),
        ("", "no path"),
        ("  ", "no path"),
        ("a\0b", "no path"),
        ("none.py", "does not exist"),
        ("x" * 5_000, "none_or_too_long"),
    ],
)
def test_everything_else_is_refused(tmp_path, entrypoint, words):
    with pytest.raises(ConfinementError) as caught:
        confine(entrypoint, tmp_path)
    assert words in str(caught.value) or words == "none_or_too_long"


@pytest.mark.parametrize(
    ("entrypoint", "parts"),
    [
        ("a.py", ("a.py", None)),
        ("a.py:run", ("a.py", "run")),
        ("sub/a.py:_run2", ("sub/a.py", "_run2")),
        ("a.py:", ("a.py:", None)),
        ("a.py:not a name", ("a.py:not a name", None)),
        (":run", ("", "run")),
    ],
)
def test_an_entrypoint_has_a_path_and_perhaps_a_name(entrypoint, parts):
    assert split_entrypoint(entrypoint) == parts


@given(st.lists(st.sampled_from(["..", ".", "a", "/", "\\", "\0", "link", "~", " ", "ü", ":x"]), max_size=6))
def test_whatever_is_written_nothing_outside_is_reached(tmp_path_factory, parts):
    base = tmp_path_factory.getbasetemp() / "confined"
    root = base / "root"
    root.mkdir(parents=True, exist_ok=True)
    (base / "secret").touch()
    if not (root / "link").is_symlink():
        os.symlink(base, root / "link")
    try:
        found = confine("/".join(parts), root)
    except ConfinementError:
        return
    assert found == str(root.resolve()) or found.startswith(str(root.resolve()) + "/")
