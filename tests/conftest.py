"""The rules of the house for every test: a clean environment before it, nothing left behind after it."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import hypothesis
import pytest

from support import leaks, server_kinds, services

# What a developer's shell or a CI job may have set, and the settings would read.
SETTINGS_VARIABLES = ("WORKERS_", "WORKER_", "NETSCRIPT_", "OTEL_")
SETTINGS_NAMES = ("REDIS_URL", "DATABASE_URL", "AMQP_URL", "DENO_KV_URL", "DENO_EXECUTABLE")
TERMINAL_NAMES = ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "GITHUB_ACTIONS", "NOTIFY_SOCKET")

_baseline = pytest.StashKey[leaks.Ground]()
_scratch = pytest.StashKey[Path]()
_lost_tasks: list[str] = []


# No property depends on the machine's speed.
hypothesis.settings.register_profile(
    "house", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("house")


def pytest_configure(config: pytest.Config) -> None:
    for name in list(os.environ):
        if (
            name.startswith(SETTINGS_VARIABLES)
            or name.removesuffix("_FILE") in SETTINGS_NAMES + TERMINAL_NAMES
        ):
            del os.environ[name]
    os.environ[leaks.MARK] = leaks.MARK_VALUE
    config.add_cleanup(leaks.watch_event_loops(_lost_tasks.append))


SERVERS = ("redis", "valkey", "postgres", "rabbitmq", "amqp", "archived-postgres")
SERVER_FIXTURES = (
    *(f"{use}{kind}" for kind in ("redis", "valkey", "postgres", "rabbitmq") for use in ("", "private_")),
    "redis_cluster_node",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a real server, by its fixtures or its parameters, so that `make check` can go without."""
    for item in items:
        names = getattr(item, "fixturenames", ())
        callspec = getattr(item, "callspec", None)
        params = callspec.params.values() if callspec is not None else ()
        if any(name.removesuffix("_server") in SERVER_FIXTURES for name in names) or any(
            isinstance(one, str) and one.startswith(SERVERS) for one in params
        ):
            item.add_marker("services")


@pytest.fixture(scope="session", autouse=True)
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The temporary directory of this run and of all programs it starts; tests must leave it as it was."""
    directory = tmp_path_factory.mktemp("tmp")
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = tempfile.tempdir = str(directory)
    yield directory
    tempfile.tempdir = None
    if before is None:
        del os.environ["TMPDIR"]
    else:
        os.environ["TMPDIR"] = before


@pytest.fixture(autouse=True)
def _ground(request: pytest.FixtureRequest, scratch: Path) -> None:
    """Remember what is there when the test begins, after session and module fixtures have started theirs."""
    _lost_tasks.clear()
    request.node.stash[_scratch] = scratch
    request.node.stash[_baseline] = leaks.Ground.take(scratch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Iterator[None]:
    """Fail a test that left something behind, once all its fixtures are torn down.

    `@pytest.mark.leaves("thread")` allows a kind: process, thread, task, descriptor, file.
    """
    yield
    before = item.stash.get(_baseline, None)
    if before is None:
        return
    allowed = frozenset(kind for mark in item.iter_markers("leaves") for kind in mark.args)
    found = leaks.wait_until_clean(before, item.stash[_scratch], allowed)
    if _lost_tasks and "task" not in allowed:
        found["task"] = list(_lost_tasks)
    if found:
        leaks.end_new_processes(before)
        lines = [f"  {kind}: {text}" for kind, texts in found.items() for text in texts]
        pytest.fail("the test left this behind:\n" + "\n".join(lines), pytrace=False)


@pytest.fixture(scope="session")
def deno() -> str:
    """The path of a real Deno."""
    return services.program("deno", "`make setup` installs it")


# Servers. The first four are shared by all tests of one pytest process (by each worker of pytest-xdist): a test
# takes a database, a key prefix, a queue name of its own and never stops them. Who wants to kill, pause or fill
# one takes a private one: `private_redis(*extra)` starts another server that lives until the test's end.


@pytest.fixture(scope="session")
def redis_server() -> Iterator[server_kinds.RedisServer]:
    """A Redis shared by the tests of this run."""
    with server_kinds.RedisServer() as server:
        yield server


@pytest.fixture(scope="session")
def valkey_server() -> Iterator[server_kinds.ValkeyServer]:
    """A Valkey shared by the tests of this run."""
    with server_kinds.ValkeyServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[server_kinds.PostgresServer]:
    """A PostgreSQL shared by the tests of this run; `new_database()` gives each its own."""
    with server_kinds.PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def rabbitmq_server() -> Iterator[server_kinds.RabbitServer]:
    """A RabbitMQ shared by the tests of this run."""
    with server_kinds.RabbitServer() as server:
        yield server


@pytest.fixture
def private_redis() -> Iterator[Callable[..., server_kinds.RedisServer]]:
    """Start servers that this test may break; they end with it."""
    with contextlib.ExitStack() as stack:
        yield lambda *extra: stack.enter_context(server_kinds.RedisServer(*extra))


@pytest.fixture
def redis_cluster_node() -> Iterator[Callable[..., server_kinds.RedisServer]]:
    """Start nodes for a cluster: Redis's, or those of another kind of server; they end with the test."""
    with contextlib.ExitStack() as stack:

        def start(*extra: str, kind: type[server_kinds.RedisServer] = server_kinds.RedisServer):
            return stack.enter_context(kind.of_a_cluster(*extra))

        yield start


@pytest.fixture
def private_postgres() -> Iterator[Callable[..., server_kinds.PostgresServer]]:
    """Start servers that this test may break; they end with it."""
    with contextlib.ExitStack() as stack:
        yield lambda *extra: stack.enter_context(server_kinds.PostgresServer(*extra))


@pytest.fixture
def private_rabbitmq() -> Iterator[Callable[..., server_kinds.RabbitServer]]:
    """Start servers that this test may break; they end with it."""
    with contextlib.ExitStack() as stack:
        yield lambda *extra: stack.enter_context(server_kinds.RabbitServer(*extra))
