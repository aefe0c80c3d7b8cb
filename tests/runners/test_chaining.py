"""Runs handed to a busy warm slot ahead of their turn: they keep their order, their output, and are never lost."""

import asyncio
import json
import random
import sys
import time
from typing import Any

import pytest

from contracts import runners
from contracts.runners import PATIENCE, Seen
from netscript_workers.domain.outcome import Kind, Outcome
from netscript_workers.domain.target import RunnerMode
from netscript_workers.ports.runner import ChainingRunner
from netscript_workers.processes.tree import children_of
from netscript_workers.runners import ahead

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="slots are handed runs ahead on Linux only")


class Chain:
    """Runs one behind the other in one slot."""

    def __init__(self, runner: ChainingRunner) -> None:
        self.runner = runner
        self.seen: list[Seen] = []
        self.tasks: list[asyncio.Task[Outcome]] = []
        self.begun: list[int] = []  # the numbers of followers that have begun

    def add(self, name: str, payload: Any = None) -> int:
        number, seen = len(self.tasks), Seen()
        execution, target = runners.execution(name, payload), runners.target(name)
        deadline = time.time_ns() // 1_000_000 + 60_000
        call = (
            self.runner.run_after(self.seen[-1], execution, target, seen, Next(self, number, deadline))
            if self.seen
            else self.runner.run(execution, target, deadline, seen)
        )
        self.seen.append(seen)
        self.tasks.append(asyncio.ensure_future(call))
        return number

    async def all(self) -> list[Outcome]:
        return await asyncio.wait_for(asyncio.gather(*self.tasks), PATIENCE)

    async def handed_over(self) -> None:
        """Wait until the calls have been made: each takes one step of the loop."""
        for _ in range(5):
            await asyncio.sleep(0)


class Next:
    """The turn of a follower: once all before it have ended."""

    def __init__(self, chain: Chain, number: int, deadline: int) -> None:
        self.chain, self.number, self.deadline = chain, number, deadline

    async def wait(self) -> None:
        await asyncio.wait(self.chain.tasks[: self.number])

    def begin(self) -> int:
        self.chain.begun.append(self.number)
        return self.deadline


def pid(outcome: Outcome) -> int:
    assert outcome.kind is Kind.SUCCEEDED, outcome
    return json.loads(outcome.result or b"")["pid"]


@pytest.fixture
async def chain():
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        assert isinstance(runner, ChainingRunner)
        yield Chain(runner)


async def test_followers_run_in_the_slot_of_their_leader_one_after_the_other(chain: Chain):
    for _ in range(20):
        chain.add("where")
    outcomes = await chain.all()
    assert len({pid(one) for one in outcomes}) == 1
    assert chain.begun == list(range(1, 20))


async def test_each_run_of_a_chain_has_its_own_output(chain: Chain):
    for _ in range(10):
        chain.add("prints")
        chain.add("nothing")
        chain.add("prints_below")
        chain.add("logs")
    await chain.all()
    for number, seen in enumerate(chain.seen):
        expected = ["to stdout run-of-prints", "left open"], [], ["from a program"], []
        assert seen.of("stdout") == expected[number % 4], number
        assert seen.of("stderr") == (["to stderr"] if number % 4 == 0 else []), number
        assert len(seen.of("log")) == (2 if number % 4 == 3 else 0), number


async def test_a_payload_too_large_to_be_handed_over_waits_for_its_turn(chain: Chain):
    blob = "x" * (2 * ahead.MAX_AHEAD_BYTES)
    for _ in range(4):
        chain.add("big", {"blob": blob})
        chain.add("where")
    outcomes = await chain.all()
    assert all(one.kind is Kind.SUCCEEDED for one in outcomes)
    assert len({pid(one) for one in outcomes[1::2]}) == 1


@pytest.mark.parametrize("crash", ["exits_hard", "segfaults", "kills_itself"])
async def test_a_crash_fails_the_run_under_way_and_no_follower(chain: Chain, crash: str):
    chain.add("where")
    chain.add(crash)
    for _ in range(4):
        chain.add("where")
    first, broken, *others = await chain.all()
    assert broken.kind is Kind.CRASHED
    assert len({pid(one) for one in others}) == 1
    assert pid(others[0]) != pid(first)


async def test_a_run_that_must_be_ended_by_force_takes_no_follower_along(chain: Chain):
    chain.add("sleeps")
    chain.add("where")
    chain.add("where")
    await chain.seen[0].under_way()
    chain.tasks[0].cancel()
    second, third = await asyncio.wait_for(asyncio.gather(*chain.tasks[1:]), PATIENCE)
    assert chain.tasks[0].cancelled()
    assert pid(second) == pid(third)


async def test_a_cancelled_run_that_obeys_leaves_the_slot_to_its_followers(chain: Chain):
    chain.add("where")
    chain.add("obeys")
    chain.add("obeys")
    chain.add("where")
    for number in (1, 2):
        await chain.seen[number].under_way()
        chain.tasks[number].cancel()
        await asyncio.wait({chain.tasks[number]}, timeout=PATIENCE)
        assert "obeyed" in chain.seen[number].of("log")
    assert pid(await chain.tasks[0]) == pid(await asyncio.wait_for(chain.tasks[3], PATIENCE))


async def test_a_follower_can_be_taken_back_while_its_leader_hangs_and_never_runs(chain: Chain):
    chain.add("sleeps")
    await chain.seen[0].under_way()
    chain.add("where")
    chain.add("logs")
    await chain.handed_over()
    assert chain.runner.withdraw(chain.seen[2])
    assert chain.runner.withdraw(chain.seen[1])
    assert not chain.runner.withdraw(chain.seen[0])
    for number in (1, 2):
        chain.tasks[number].cancel()
    await asyncio.wait(chain.tasks[1:], timeout=PATIENCE)
    assert [task.cancelled() for task in chain.tasks[1:]] == [True, True]
    chain.tasks[0].cancel()
    await asyncio.wait({chain.tasks[0]}, timeout=PATIENCE)
    assert chain.begun == []
    assert chain.seen[2].all_lines == []


async def test_a_follower_that_is_cancelled_before_it_begins_ends_at_once_and_the_others_go_on(
    chain: Chain, tmp_path
):
    chain.add("spins", {"gate": str(tmp_path / "gate")})
    await chain.seen[0].under_way()
    for _ in range(3):
        chain.add("where")
    await chain.handed_over()
    chain.tasks[2].cancel()
    await asyncio.wait({chain.tasks[2]}, timeout=PATIENCE)
    assert chain.tasks[2].cancelled()
    (tmp_path / "gate").touch()
    _, first, third = await asyncio.wait_for(
        asyncio.gather(chain.tasks[0], chain.tasks[1], chain.tasks[3]), PATIENCE
    )
    assert pid(first) == pid(third)
    assert chain.begun == [1, 3]


async def test_what_a_run_leaves_behind_cannot_write_into_its_followers_output(chain: Chain):
    chain.add("leaves_talker")
    for _ in range(6):
        chain.add("prints")
    await chain.all()
    for seen in chain.seen[1:]:
        assert seen.of("stdout") == ["to stdout run-of-prints", "left open"]


async def test_a_slot_is_handed_no_more_than_it_may_run_before_it_is_replaced():
    async with runners.running(RunnerMode.WEB_WORKER, max_jobs_per_slot=3) as runner:
        assert isinstance(runner, ChainingRunner)
        chain = Chain(runner)
        for _ in range(9):
            chain.add("where")
        pids = [pid(one) for one in await chain.all()]
    assert [pids.count(one) for one in dict.fromkeys(pids)] == [3, 3, 3]


async def test_under_any_mixture_of_ends_every_run_is_told_exactly_once(chain: Chain):
    names = [
        "where",
        "prints",
        "raises",
        "where",
        "exits_hard",
        "nothing_async",
        "logs",
        "where",
        "raises_async",
    ]
    for round_ in range(12):
        for name in names:
            chain.add(name)
        await asyncio.sleep(0.001 * (round_ % 3))
        if not chain.tasks[-2].done():
            chain.tasks[-2].cancel()
    await asyncio.wait_for(asyncio.gather(*chain.tasks, return_exceptions=True), PATIENCE)
    for number, (task, seen) in enumerate(zip(chain.tasks, chain.seen, strict=True)):
        name = names[number % len(names)]
        if task.cancelled():
            continue
        expected = {
            "exits_hard": Kind.CRASHED,
            "raises": Kind.FAILED,
            "raises_async": Kind.FAILED,
        }.get(name, Kind.SUCCEEDED)
        assert task.result().kind is expected, (number, name, task.result())
        assert len(seen.of("stdout")) == {"prints": 2, "exits_hard": 1}.get(name, 0), (number, name)


async def test_a_cancellation_at_any_moment_ends_that_run_only_and_costs_no_slot_and_no_result():
    moments = random.Random(1)
    async with runners.running(RunnerMode.WEB_WORKER) as runner:
        assert isinstance(runner, ChainingRunner)
        for _ in range(250):  # what is taken back may meet the slot in the act of taking
            chain = Chain(runner)
            for number in range(9):
                chain.add("echo", {"number": number})
            await asyncio.sleep(moments.random() * 0.003)
            victim = moments.randrange(9)
            chain.tasks[victim].cancel()
            await asyncio.wait_for(asyncio.gather(*chain.tasks, return_exceptions=True), PATIENCE)
            for number, task in enumerate(chain.tasks):
                if number != victim or not task.cancelled():
                    assert json.loads(task.result().result or b"{}")["payload"] == {"number": number}
        slots = runner.slots()
        assert [slot.execution_id for slot in slots] == [None] * len(slots)
        assert len(children_of(runner._source.zygote_pid)) == len(slots)


async def test_what_follows_a_run_that_logged_much_has_its_own_output(chain: Chain, tmp_path):
    chain.add("logs_much", {"gate": str(tmp_path / "gate")})
    await chain.seen[0].under_way()
    chain.add("prints")
    await chain.handed_over()
    (tmp_path / "gate").touch()
    time.sleep(0.3)  # the daemon is busy meanwhile: all of it stands in the sockets when it reads again
    await chain.all()
    assert len(chain.seen[0].of("log")) == 41
    assert chain.seen[0].of("stdout") == []
    assert chain.seen[1].of("stdout") == ["to stdout run-of-prints", "left open"]
