"""A store that cannot be reached is named with the setting that leads to it, and no password is ever told."""

import asyncio
from pathlib import Path

import pytest

from netscript_workers import config
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.engines.memory import MemoryEngine
from netscript_workers.errors import EngineError, EngineFormatError, EngineUnavailableError
from netscript_workers.wiring.reaching import probe, reach

PASSWORD = "hunter2"
URL = f"redis://u:{PASSWORD}@cache:6379/0"


class Unreachable(MemoryEngine):
    """An engine that raises what it is told to when it is opened."""

    def __init__(self, error: Exception | None) -> None:
        super().__init__()
        self._error = error

    async def open(self) -> None:
        if self._error is None:
            await asyncio.Event().wait()
        else:
            raise self._error


@pytest.fixture
def load(tmp_path):
    def loaded(text: str = "", **environ: str) -> config.Settings:
        file = tmp_path / "config.toml"
        file.write_text(text)
        settings = config.load(config.LoadOptions(path=file, environ=environ, cwd=tmp_path)).settings
        assert settings is not None
        return settings

    return loaded


async def told(settings: config.Settings, error: Exception | None, within_ms: int = 20_000) -> str:
    with pytest.raises(EngineUnavailableError) as raised:
        await reach(Unreachable(error), settings, within_ms)
    assert PASSWORD not in str(raised.value)
    return str(raised.value)


async def test_the_variable_is_named(load):
    error = EngineUnavailableError("Redis at redis://***@cache:6379/0 cannot be reached: refused.")
    message = await told(load(REDIS_URL=URL), error)
    assert message == (
        "Redis at redis://***@cache:6379/0 cannot be reached: refused. "
        "The store is named by REDIS_URL (auto: a Redis URL is configured, and no AMQP URL)."
    )


async def test_the_variable_that_names_a_file_is_named(load, tmp_path):
    (tmp_path / "secret").write_text(URL + "\n")
    message = await told(load(REDIS_URL_FILE=str(tmp_path / "secret")), EngineUnavailableError("refused"))
    assert "named by REDIS_URL_FILE (" in message


async def test_the_line_of_the_file_is_named(load, tmp_path):
    settings = load(f'concurrency = 3\n[connections]\nredis_url = "{URL}"\n')
    message = await told(settings, EngineError("cannot reach cache:6379"))
    assert f"named by connections.redis_url in {tmp_path / 'config.toml'}, line 3 (" in message


async def test_of_several_servers_the_one_that_fails_is_named(load):
    settings = load(REDIS_URL=URL, DATABASE_URL=f"postgresql://u:{PASSWORD}@db:5432/x")
    message = await told(settings, EngineUnavailableError("PostgreSQL at postgresql://***@db:5432/x is away"))
    assert "named by DATABASE_URL (" in message


async def test_a_store_that_does_not_answer_is_given_up(load):
    message = await told(load(REDIS_URL=URL), None, within_ms=20)
    assert message.startswith("the queue (redis) did not answer within 20 ms")


async def test_what_no_waiting_mends_stays_what_it_is(load):
    with pytest.raises(EngineFormatError, match="a newer layout"):
        await reach(Unreachable(EngineFormatError("a newer layout")), load())


async def test_a_file_that_cannot_be_made_is_told_with_its_default(load, tmp_path):
    (tmp_path / "workers").write_text("in the way")
    settings = load()
    engine = DenoKvEngine(settings.connections.deno_kv_path)
    with pytest.raises(EngineUnavailableError) as raised:
        await reach(engine, settings)
    assert "named by the default of connections.deno_kv_path (auto: neither" in str(raised.value)
    with pytest.raises(EngineUnavailableError, match="is no directory"):
        await probe(engine, settings, 20_000)


def everything(folder: Path) -> list[str]:
    return sorted(str(path) for path in folder.rglob("*"))


async def test_a_probe_makes_nothing(load, tmp_path):
    settings = load()
    before = everything(tmp_path)
    engine = DenoKvEngine(settings.connections.deno_kv_path)
    await probe(engine, settings, 20_000)
    assert everything(tmp_path) == before
    await engine.open()
    await engine.close()
    before = everything(tmp_path)
    await probe(engine, settings, 20_000)
    assert everything(tmp_path) == before
    await engine.open()
    try:
        await probe(DenoKvEngine(settings.connections.deno_kv_path), settings, 20_000)
    finally:
        await engine.close()


async def test_a_probe_refuses_what_is_no_queue(load, tmp_path):
    (tmp_path / "notes.txt").write_text("no database" * 100)
    settings = load('[connections]\ndeno_kv_path = "notes.txt"\n')
    with pytest.raises(EngineFormatError, match="no SQLite database"):
        await probe(DenoKvEngine(settings.connections.deno_kv_path), settings, 20_000)
