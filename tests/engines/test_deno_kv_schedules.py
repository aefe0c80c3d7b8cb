"""The book of the schedules in the file: older files get one, names of queues have their own, idle looks write nothing."""

import sqlite3

from contracts.engines import claim, new, put
from netscript_workers.engines.deno_kv import DenoKvEngine, SqliteArchive
from netscript_workers.ports.schedules import Tick


async def test_a_file_of_the_fourth_layout_is_brought_up_to_date(tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    (one,) = await put(engine)
    await engine.close()
    with sqlite3.connect(path) as db:
        db.execute("DROP TABLE netscript_schedule")
        db.execute("UPDATE netscript_schema SET version = 4")
    db.close()
    await engine.open()
    try:
        standing = await engine.standing(["mail"])
        (answer,) = await engine.enqueue_ticks([Tick("mail", standing.now + 1, new())])
        assert [execution.id for execution in await claim(engine)] == [one, answer.id]
    finally:
        await engine.close()


async def test_queue_names_in_one_file_have_books_of_their_own(tmp_path):
    path = tmp_path / "queue.db"
    a, b = DenoKvEngine(path, "a"), DenoKvEngine(path, "b")
    await a.open()
    await b.open()
    try:
        now = (await a.standing(["mail"])).now
        assert await b.enqueue_ticks([Tick("mail", now + 60_000, new())]) == [None]
        await b.standing(["mail"])
        (answer,) = await b.enqueue_ticks([Tick("mail", now + 60_000, new())])
        assert answer is not None
        assert (await a.standing(["mail"])).last["mail"] < now + 60_000
        await b.forget_schedules(["mail"])
        assert (await a.standing(["mail"])).last["mail"] < now + 60_000
    finally:
        await b.close()
        await a.close()


async def test_an_erased_queue_keeps_no_book(tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    await engine.standing(["mail"])
    await engine.close()
    file = SqliteArchive(path)
    await file.open()
    await file.erase()
    await file.close()
    with sqlite3.connect(path) as db:
        assert db.execute("SELECT count(*) FROM netscript_schedule").fetchone() == (0,)
    db.close()


async def test_a_look_at_known_schedules_writes_nothing(tmp_path):
    path = tmp_path / "queue.db"
    engine = DenoKvEngine(path)
    await engine.open()
    try:
        await engine.standing(["mail", "news"])
        with sqlite3.connect(path) as db:
            before = db.execute("PRAGMA data_version").fetchone()
            await engine.standing(["news", "mail"])
            assert db.execute("PRAGMA data_version").fetchone() == before
        db.close()
    finally:
        await engine.close()
