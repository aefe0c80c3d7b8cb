"""What a run was denied is read from what it left, and mistakes are not taken for denials."""

import pytest

from netscript_workers.sandbox.denials import Denial, found_in, told
from netscript_workers.sandbox.mark import MARK


def found(line, *, read=(), write=(), exists=()):
    def covers(paths):
        return lambda path: any(path.startswith(each) for each in paths)

    return found_in([line], may_read=covers([*read, *write]), may_write=covers(write))


@pytest.mark.parametrize(
    ("line", "denial"),
    [
        (f"{MARK} run /usr/bin/curl", Denial("run", "/usr/bin/curl", certain=True)),
        (f"{MARK} net AF_INET", Denial("net", "AF_INET", certain=True)),
        ("PermissionError: [Errno 13] Permission denied: '/etc/shadow'", Denial("read", "/etc/shadow")),
        ("FileNotFoundError: [Errno 2] No such file or directory: '/etc/fstab'", None),
        ("cat: /etc/hostname: No such file or directory", Denial("read", "/etc/hostname")),
        ("bash: line 1: /srv/data: Permission denied", Denial("read", "/srv/data")),
        ("bash: line 1: /ok/new: Read-only file system", Denial("write", "/ok/new")),
        ("touch: cannot touch '/ok/new': Read-only file system", Denial("write", "/ok/new")),
        ("cat: /ok/missing: No such file or directory", None),
        (
            "Unhandled exception. System.UnauthorizedAccessException: Access to the path '/srv/x' is denied.",
            Denial("write", "/srv/x"),
        ),
        ("something else: Permission denied", None),
        ("cat: /nowhere/at/all: No such file or directory", None),
    ],
)
def test_a_line_tells_of_a_denial_or_of_none(line, denial):
    got = found(line, read=("/ok", "/etc/fstab"))
    assert got == ([denial] if denial else [])


def test_a_denial_says_what_to_write():
    words = told(
        [Denial("net", "api.example.com:443"), Denial("run", "/usr/bin/curl"), Denial("read", "/srv/x")]
    )
    assert 'net = ["api.example.com:443"], run = ["/usr/bin/curl"], read = ["/srv/x"]' in words


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("does.sh: line 2: data/in.txt: No such file or directory", "data/in.txt"),
        ("cat: ./data/in.txt: Permission denied", "data/in.txt"),
        ("FileNotFoundError: [Errno 2] No such file or directory: 'data/in.txt'", "data/in.txt"),
        ("cat: data/other.txt: No such file or directory", None),
        ("connecting to the server: Permission denied", None),
    ],
)
def test_a_relative_path_counts_from_the_working_directory(tmp_path, line, path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "in.txt").touch()
    got = found_in([line], cwd=str(tmp_path), may_read=lambda _: False, may_write=lambda _: False)
    assert got == ([] if path is None else [Denial("read", str(tmp_path / path))])
