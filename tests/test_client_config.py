"""How the client finds its config and its queue."""

import pytest

from netscript_workers import Client, SyncClient
from netscript_workers.errors import ConfigError, PayloadError, UnknownTargetError
from netscript_workers.testing import run_job
from support.modules import modules_in

CONFIG = 'queue_provider = "memory"\nmax_payload_bytes = 64\n[[jobs]]\nid = "hi"\nentrypoint = "hello.py"\npriority = 7\n'


@pytest.fixture
def project(tmp_path):
    with modules_in(tmp_path / "workers" / "jobs") as modules:
        modules.write("hello.py", "def handler(ctx, payload: dict[str, int]): return payload['n'] + 1")
        (tmp_path / "config.toml").write_text(CONFIG)
        yield tmp_path


async def test_a_path_or_text_names_the_config(project):
    for config in (project / "config.toml", str(project / "config.toml")):
        async with Client(config) as client:
            enqueued = await client.trigger("hi", {"n": 1})
            assert (await client.get(enqueued.id)).priority == 7


async def test_without_one_it_is_found_as_the_command_finds_it(project, monkeypatch):
    monkeypatch.chdir(project)
    async with Client() as client:
        assert list(await client.targets()) == ["hi"]
    monkeypatch.chdir("/")
    monkeypatch.setenv("WORKERS_CONFIG", str(project / "config.toml"))
    async with Client() as client:
        assert list(await client.targets()) == ["hi"]


async def test_the_limits_of_the_config_hold(project):
    async with Client(project / "config.toml") as client:
        with pytest.raises(PayloadError, match="over max_payload_bytes"):
            await client.trigger("hi", {"n" * 100: 1})
        with pytest.raises(PayloadError, match="n: Expected `int`"):
            await client.trigger("hi", {"n": "x"})


async def test_a_client_that_only_looks_imports_no_job_module(project):
    (project / "workers" / "jobs" / "hello.py").write_text("raise RuntimeError('imported')")
    async with Client(project / "config.toml") as client:
        assert await client.executions() == []
        with pytest.raises(UnknownTargetError, match="could not be loaded"):
            await client.trigger("hi")


async def test_a_bad_config_is_told_with_every_error(tmp_path):
    config = tmp_path / "config.toml"
    config.write_text('concurrency = 0\nruntime = "threads"\n')
    with pytest.raises(ConfigError) as caught:
        async with Client(config):
            raise AssertionError("must not open")
    assert "concurrency" in str(caught.value)
    assert "runtime" in str(caught.value)


def test_a_twin_that_cannot_open_leaves_no_thread(tmp_path):
    (tmp_path / "config.toml").write_text("concurrency = 0")
    with pytest.raises(ConfigError), SyncClient(tmp_path / "config.toml"):
        raise AssertionError("must not open")


def test_a_job_of_a_project_is_run_by_its_id(project):
    assert run_job("hi", {"n": 1}, config=project / "config.toml").result == 2
    with pytest.raises(UnknownTargetError, match="Did you mean hi"):
        run_job("hii", config=project / "config.toml")
