"""The supervisor over small programs that speak its language: order, restarts, budget, hung ones, the end."""

import asyncio
import logging
import os
import signal
import sys
from functools import partial

import pytest

from netscript_workers.supervisor import keeping, restarts
from netscript_workers.supervisor.children import ChildSpec
from netscript_workers.supervisor.keeping import Kept
from netscript_workers.supervisor.notices import Notices
from netscript_workers.supervisor.tree import Supervisor

PATIENCE_S = 40.0

BEGIN = """
import json, os, signal, socket, sys, time
link = socket.socket(fileno=json.loads(os.environ.pop("NETSCRIPT_WORKERS_LINK"))["fd"])
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
def up():
    link.send(b"READY=1\\nSTATUS=well\\n")
def beat():
    while True:
        link.send(b"WATCHDOG=1\\n")
        time.sleep(0.1)
print("began", os.getpid(), flush=True)
"""
GOOD = "up(); beat()"
BAD_CONFIG = "sys.exit(78)"
CRASHES = "up(); os.kill(os.getpid(), signal.SIGSEGV)"
HANGS = "up(); time.sleep(3600)"
ONCE = "up(); sys.exit(0)"
DEAF = "signal.signal(signal.SIGTERM, signal.SIG_IGN); signal.signal(signal.SIGINT, signal.SIG_IGN); up(); beat()"
NEVER_UP = "time.sleep(3600)"
CLOSES = "up(); link.close(); beat_not = time.sleep(0.2); sys.exit(3)"
# The first process works until it is told; each later one finds a broken config.
BROKEN_LATER = """
if os.path.exists("seen"):
    sys.exit(78)
open("seen", "w").close()
up(); beat()
"""


class Told:
    """What children printed, by name."""

    def __init__(self):
        self.lines: list[tuple[str, str]] = []

    def __call__(self, name, stream, line):
        self.lines.append((name, line))

    def pids(self, name):
        return [int(line.split()[1]) for who, line in self.lines if who == name and line.startswith("began")]


@pytest.fixture
def told():
    return Told()


def kept(told, name, program, *, once=False, hang_s=30.0, boot_s=30.0):
    spec = ChildSpec(
        name=name,
        argv=(sys.executable, "-c", BEGIN + program),
        environ=dict(os.environ),
        boot_s=boot_s,
        hang_s=hang_s,
    )
    return Kept(spec, "tree", told, once=once)


async def until(holds, what):
    async with asyncio.timeout(PATIENCE_S):
        while not holds():
            await asyncio.sleep(0.01)
    assert what


def end():
    os.kill(os.getpid(), signal.SIGTERM)


def tree(*places, **options):
    return Supervisor(places, Notices(), **({"drain_s": 1.0} | options))


async def test_children_start_one_after_another_and_all_end_with_the_tree(told, caplog):
    caplog.set_level(logging.INFO)
    places = [kept(told, name, GOOD) for name in ("a", "b", "c")]
    running = asyncio.create_task(tree(*places).run())
    await until(lambda: "all 3 processes are up" in caplog.text, "the tree")
    assert [name for name, _ in told.lines] == ["a", "b", "c"]
    assert places[0].said == "a well"
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert caplog.text.count("ended with exit status 0") == 3


async def test_a_child_that_cannot_boot_ends_the_tree_with_its_status_and_nothing_else_is_started(told):
    places = [kept(told, "a", GOOD), kept(told, "b", BAD_CONFIG), kept(told, "c", GOOD)]
    assert await asyncio.wait_for(tree(*places).run(), PATIENCE_S) == 78
    assert told.pids("c") == []


async def test_a_child_that_crashes_again_and_again_uses_the_budget_up(told, monkeypatch, caplog):
    monkeypatch.setattr(restarts, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(restarts, "MOST_DELAY_S", 0.01)
    monkeypatch.setattr(restarts, "BUDGET", 3)
    places = [kept(told, "a", GOOD), kept(told, "b", CRASHES)]
    assert await asyncio.wait_for(tree(*places).run(), PATIENCE_S) == keeping._FAULT
    assert len(told.pids("b")) == 4
    assert len(told.pids("a")) == 1
    assert "killed by SIGSEGV" in caplog.text
    assert "giving up" in caplog.text


async def test_a_child_that_is_killed_comes_back_and_the_others_do_not_notice(told):
    places = [kept(told, "a", GOOD), kept(told, "b", GOOD)]
    running = asyncio.create_task(tree(*places).run())
    await until(lambda: told.pids("b"), "b")
    os.kill(told.pids("b")[0], signal.SIGKILL)
    await until(lambda: len(told.pids("b")) == 2, "another b")
    await until(lambda: places[1].said == "b well, restarts: 1", "its word")
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert len(told.pids("a")) == 1


async def test_a_config_that_breaks_later_keeps_one_child_down_and_the_tree_up(
    told, tmp_path, monkeypatch, caplog
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(restarts, "FIRST_DELAY_S", 0.01)
    monkeypatch.setattr(restarts, "MOST_DELAY_S", 0.01)
    monkeypatch.setattr(restarts, "BUDGET", 2)
    places = [kept(told, "a", GOOD), kept(told, "b", BROKEN_LATER)]
    running = asyncio.create_task(tree(*places).run())
    await until(lambda: told.pids("b"), "b")
    await until((tmp_path / "seen").exists, "b at work")
    await until(places[1].first_up.is_set, "b up")
    os.kill(told.pids("b")[0], signal.SIGTERM)
    await until(lambda: len(told.pids("b")) > 6, "many tries")
    assert not running.done()
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0


@pytest.mark.slow
async def test_a_child_that_gives_no_sign_of_life_is_ended_and_started_again(told, caplog):
    running = asyncio.create_task(tree(kept(told, "a", GOOD), kept(told, "b", HANGS, hang_s=2.0)).run())
    await until(lambda: len(told.pids("b")) == 2, "another b")
    assert "gave no sign of life for 2 s" in caplog.text
    assert "killed by SIGABRT" in caplog.text
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0


@pytest.mark.slow
async def test_a_child_that_never_comes_up_is_ended(told, caplog):
    status = await asyncio.wait_for(tree(kept(told, "a", NEVER_UP, boot_s=1.0)).run(), PATIENCE_S)
    assert status == keeping._FAULT
    assert "did not come up for 1 s" in caplog.text


@pytest.mark.slow
async def test_a_deaf_child_is_killed_when_the_time_of_all_is_over(told, caplog, monkeypatch):
    monkeypatch.setattr("netscript_workers.supervisor.tree._AFTER_DRAIN_S", 0.5)
    places = [kept(told, "a", DEAF), kept(told, "b", GOOD)]
    running = asyncio.create_task(tree(*places, drain_s=0.5).run())
    await until(places[1].first_up.is_set, "the tree")
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
    assert "a has not ended in time; it is killed" in caplog.text


async def test_a_tree_that_drains_ends_when_all_but_its_attendants_are_done(told):
    places = [kept(told, "a", ONCE, once=True), kept(told, "scheduler", GOOD)]
    drained = tree(*places, until_drained=True, attendants=frozenset({"scheduler"}))
    assert await asyncio.wait_for(drained.run(), PATIENCE_S) == 0


async def test_the_end_of_the_link_is_not_taken_for_the_end_of_the_process(told, caplog):
    place = kept(told, "a", CLOSES)
    running = asyncio.create_task(tree(place).run())
    await until(lambda: len(told.pids("a")) == 2, "another a")
    assert "ended with exit status 3" in caplog.text
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0


async def test_a_program_that_is_not_there_is_a_failed_start(told):
    spec = ChildSpec(name="a", argv=("/nowhere/python",), environ={}, boot_s=1.0, hang_s=1.0)
    assert await asyncio.wait_for(tree(Kept(spec, "tree", told)).run(), PATIENCE_S) == keeping._FAULT


async def test_a_word_to_stop_while_starting_ends_what_has_started(told):
    places = [kept(told, "a", GOOD), kept(told, "b", NEVER_UP)]
    running = asyncio.create_task(tree(*places).run())
    await until(partial(told.pids, "b"), "b on its way")
    end()
    assert await asyncio.wait_for(running, PATIENCE_S) == 0
