"""The systemd unit of a config: computed lines, no secret, and what systemd itself says of it."""

import re
import shutil
import subprocess

import msgspec
import pytest

from netscript_workers.config.unit import UnitOptions, escaped, quoted, write_unit
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Concept, Source, Target
from support import services

SYSTEM = UnitOptions(role="combined", command="/opt/shop/.venv/bin/workers", account="workers", user=False)


def unit(loaded, options=SYSTEM, targets=()):
    return write_unit(loaded, loaded.settings, {one.id: one for one in targets}, options)


def values(text, key):
    return re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "key", "expected"),
    [
        ("", "Type", ["notify"]),
        ("", "RestartPreventExitStatus", ["78"]),
        ("", "KillMode", ["mixed"]),
        ("", "Delegate", ["memory pids"]),
        ("", "WatchdogSec", ["30"]),
        ("", "OOMPolicy", ["continue"]),
        ("", "User", ["workers"]),
        ("", "TimeoutStopSec", ["70"]),
        ('shutdown_timeout = "10m"', "TimeoutStopSec", ["645"]),
        ('shutdown_timeout = "500ms"', "TimeoutStopSec", ["46"]),
        ('connect_timeout = "5m"', "TimeoutStartSec", ["360"]),
        ("", "MemoryMax", ["512M"]),
        ("concurrency = 200", "MemoryMax", ["2624M"]),
        ("concurrency = 20\nmax_slot_memory_mb = 256", "MemoryMax", ["20672M"]),
        ('[connections]\ndeno_kv_path = "/var/lib/shop/queue.sqlite3"', "StateDirectory", ["shop"]),
        ('[connections]\ndeno_kv_path = "/srv/shop/queue.sqlite3"', "ReadWritePaths", ["-/srv/shop"]),
        ('[connections]\ndeno_kv_path = "/srv/a shop/q"', "ReadWritePaths", ['"-/srv/a shop"']),
        ("", "ProtectSystem", ["strict"]),
        ("", "NoNewPrivileges", ["yes"]),
    ],
)
def test_the_unit_follows_the_config(load, text, key, expected):
    assert values(unit(load(text)), key) == expected


@pytest.mark.parametrize(
    ("interpreter", "homes"),
    [("/usr/bin/python3.11", "yes"), ("/run/user/7/uv/bin/python3.11", "read-only")],
)
def test_a_home_with_the_real_interpreter_of_a_virtual_environment_stays_readable(load, interpreter, homes):
    options = msgspec.structs.replace(SYSTEM, interpreter=interpreter)
    assert values(unit(load(""), options), "ProtectHome") == [homes]


@pytest.mark.parametrize(
    "directive",
    [
        *("RestrictNamespaces", "MemoryDenyWriteExecute", "ProtectKernelTunables", "ProtectKernelLogs"),
        *("ProcSubset", "ProtectProc", "PrivateUsers", "ProtectControlGroups"),
    ],
)
def test_what_would_break_the_sandbox_is_left_out(load, directive):
    assert values(unit(load("")), directive) == []


def test_a_secret_in_a_file_becomes_a_credential_and_is_not_in_the_unit(load, tmp_path):
    (tmp_path / "redis-url").write_text("redis://:hunter2@cache/0\n")
    text = unit(load('[connections]\nredis_url = "file:redis-url"'))
    assert values(text, "LoadCredential") == [f"redis_url:{tmp_path / 'redis-url'}"]
    assert "REDIS_URL_FILE=%d/redis_url" in values(text, "Environment")
    assert "hunter2" not in text


def test_a_secret_in_a_variable_is_asked_for_in_a_file_of_roots(load):
    by_variable = unit(load("", environ={"DATABASE_URL": "postgresql://u:hunter2@db/shop"}))
    by_reference = unit(
        load('[connections]\nredis_url = "env:CACHE"', environ={"CACHE": "redis://:hunter2@cache/0"})
    )
    for text, name in ((by_variable, "DATABASE_URL"), (by_reference, "CACHE")):
        assert f"{name}=…" in text
        assert values(text, "EnvironmentFile") == ["/etc/netscript-workers/environment"]
        assert "hunter2" not in text


def test_what_variables_of_the_shell_have_settled_is_the_same_in_the_service(load):
    text = unit(load("", environ={"WORKERS_CONCURRENCY": "7"}))
    assert values(text, "Environment") == ["WORKERS_CONCURRENCY=7"]


def test_what_a_confined_target_may_write_stays_writable(load):
    one = Target(
        id="a",
        concept=Concept.TASK,
        source=Source.CONFIG,
        file="a.sh",
        path="/a.sh",
        permissions=Permissions(write=("/srv/out", "relative")),
    )
    assert "-/srv/out" in values(unit(load(""), targets=[one]), "ReadWritePaths")[0].split()


def test_the_unit_of_a_user_has_nothing_that_needs_root(load):
    text = unit(load(""), UnitOptions(role="run", command="/x/workers", account="w", user=True))
    assert values(text, "WantedBy") == ["default.target"]
    for directive in ("User", "ProtectSystem", "PrivateDevices", "CapabilityBoundingSet"):
        assert values(text, directive) == []


@pytest.mark.parametrize(
    ("word", "written"),
    [("plain", "plain"), ("a b", '"a b"'), ("50%", "50%%"), ('q"$x', '"q\\"$$x"'), ("b\\c", '"b\\\\c"')],
)
def test_words_are_written_so_that_systemd_reads_them_back(word, written):
    assert quoted(word) == written
    assert escaped("50%") == "50%%"


def analyze(*arguments):
    program = services.program(
        "systemd-analyze", "it is in the package systemd, which `.ci/services` installs"
    )
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=50, check=False)


@pytest.mark.parametrize("user", [False, True])
@pytest.mark.parametrize("role", ["run", "combined"])
def test_systemd_takes_the_unit_without_a_word(load, tmp_path, user, role, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "redis-url").write_text("redis://cache/0\n")
    options = UnitOptions(role=role, command=shutil.which("true"), account="root", user=user)
    file = tmp_path / "netscript-workers.service"
    file.write_text(unit(load('[connections]\nredis_url = "file:redis-url"'), options))
    done = analyze(*(["--user"] if user else []), "verify", "--man=no", str(file))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_systemd_finds_the_service_little_exposed(load, tmp_path):
    file = tmp_path / "netscript-workers.service"
    file.write_text(unit(load("")))
    done = analyze("security", "--offline=true", "--threshold=40", "--no-pager", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
