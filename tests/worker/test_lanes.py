"""Lanes: limits hold, nobody starves, look-ahead only where runs are short."""

from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.worker.lane import MAX_LOOK_AHEAD
from netscript_workers.worker.lanes import Lanes


class attempt:  # noqa: N801 - reads as one in `hold([attempt("a")])`
    """As much of an attempt as the books look at. `chain` None: its runner cannot be handed it ahead."""

    def __init__(self, topic: str, chain: str | None = None) -> None:
        self.execution = SimpleNamespace(topic=topic)
        self.chain = chain
        self.started = 0.0


def pool(size: int, **limits: int) -> Pool:
    return Pool(size, tuple(Lane((topic,), limit) for topic, limit in limits.items()), "test")


def claim_all(lanes: Lanes, demand) -> list[str]:
    """An engine with endless work: every lane gets what it asks for, in order, up to the total."""
    topics = [lane.topics[0] for lane in demand.lanes for _ in range(lane.limit)]
    return topics[: demand.total]


def test_an_idle_worker_asks_for_exactly_its_free_slots():
    demand = Lanes(pool(12, default=2, webhooks=10)).demand()
    assert demand is not None
    assert demand.total == 12
    assert {lane.topics: lane.limit for lane in demand.lanes} == {("default",): 2, ("webhooks",): 10}


def test_a_full_pool_asks_for_nothing():
    lanes = Lanes(pool(1, a=1))
    lanes.hold([attempt("a")])
    assert len(list(lanes.ready())) == 1
    assert lanes.demand() is None


def test_a_dry_lane_is_not_asked_again_before_it_is_woken():
    lanes = Lanes(pool(2, a=1, b=1))
    demand = lanes.demand()
    lanes.came_short(demand)
    assert lanes.demand() is None
    assert lanes.thirsty_topics == ("a", "b")
    lanes.wake()
    assert lanes.demand() is not None


def test_a_lane_that_got_all_it_asked_for_is_not_dry_for_another_one_that_did_not():
    lanes = Lanes(pool(4, a=2, b=2))
    (first, second) = (attempt("a") for _ in range(2))
    lanes.came_short(lanes.demand(), ["a", "a"])
    lanes.hold([first, second])
    list(lanes.ready())
    lanes.leave(first, 1_000.0, wake=False)
    demand = lanes.demand()
    assert [(lane.topics, lane.limit) for lane in demand.lanes] == [(("a",), 1)]


def test_topics_that_share_a_lane_take_turns_at_being_asked_first():
    lanes = Lanes(Pool(1, (Lane(("a", "b", "c"), 1),), "test"))
    firsts = [lanes.demand().lanes[0].topics[0] for _ in range(6)]
    assert firsts == ["a", "b", "c", "a", "b", "c"]


def test_no_lane_starves_when_the_pool_is_smaller_than_the_lanes():
    lanes = Lanes(pool(1, a=5, b=5, c=5))
    started = []
    for _ in range(30):
        lanes.hold([attempt(topic) for topic in claim_all(lanes, lanes.demand())])
        for one in lanes.ready():
            started.append(one.execution.topic)
            lanes.leave(one, 1_000.0, wake=False)
    assert {topic: started.count(topic) for topic in "abc"} == {"a": 10, "b": 10, "c": 10}


def test_long_runs_are_never_claimed_ahead():
    lanes = Lanes(pool(2, a=2))
    lanes.hold([attempt("a"), attempt("a")])
    for one in list(lanes.ready()):
        lanes.leave(one, 5_000.0, wake=False)
    assert lanes.demand().total == 2


def test_short_runs_are_claimed_ahead_within_a_bound_and_not_in_crumbs():
    lanes = Lanes(pool(2, a=2))
    lanes.hold([attempt("a"), attempt("a")])
    for one in list(lanes.ready()):
        lanes.leave(one, 0.02, wake=False)
    demand = lanes.demand()
    assert demand.total == 2 + MAX_LOOK_AHEAD
    lanes.hold([attempt("a") for _ in range(demand.total)])
    next(lanes.ready())
    assert lanes.demand() is None


def test_a_look_ahead_that_got_stuck_is_handed_out_and_ends_the_looking_ahead():
    lanes = Lanes(pool(1, a=1))
    lanes.hold([attempt("a")])
    for one in list(lanes.ready()):
        lanes.leave(one, 0.02, wake=False)
    lanes.hold([attempt("a") for _ in range(5)])
    assert len(list(lanes.ready())) == 1
    assert len(lanes.take_unstarted()) == 4
    assert lanes.held == 0
    assert lanes.demand() is None


def with_short_runs(size: int = 2, **limits: int) -> Lanes:
    """Lanes whose runs took 5 ms so far, so that five may follow each that is under way."""
    lanes = Lanes(pool(size, **limits or {"a": size}))
    for topic in limits or {"a": size}:
        lanes.hold([attempt(topic, "warm")])
        (one,) = lanes.ready()
        lanes.leave(one, 5.0, wake=False)
    return lanes


def test_what_is_held_is_handed_to_busy_slots_evenly_and_in_order():
    lanes = with_short_runs()
    six = [attempt("a", "warm") for _ in range(6)]
    lanes.hold(six)
    assert list(lanes.ready()) == six[:2]
    assert list(lanes.followers(0.0)) == [
        (six[2], six[0]),
        (six[3], six[1]),
        (six[4], six[2]),
        (six[5], six[3]),
    ]
    assert (lanes.busy, lanes.held, lanes.following) == (2, 0, 4)


def test_a_follower_takes_over_the_place_of_the_run_before_it():
    lanes = with_short_runs(1)
    first, second = attempt("a", "warm"), attempt("a", "warm")
    lanes.hold([first, second])
    assert list(lanes.ready()) == [first]
    assert list(lanes.followers(0.0)) == [(second, first)]
    lanes.leave(first, 5.0, wake=False)
    assert (lanes.busy, lanes.following) == (1, 0)
    lanes.leave(second, 5.0, wake=False)
    assert lanes.busy == 0


@pytest.mark.parametrize(
    ("kinds", "now"), [((None, "warm"), 0.0), (("warm", None), 0.0), (("warm", "warm"), 0.1)]
)
def test_nothing_follows_a_run_that_may_be_long_or_in_a_runner_that_cannot(kinds, now):
    lanes = with_short_runs(1)
    lanes.hold([attempt("a", kind) for kind in kinds])
    assert len(list(lanes.ready())) == 1
    assert list(lanes.followers(now)) == []


def test_lanes_that_compete_for_slots_hand_nothing_over():
    lanes = with_short_runs(1, a=1, b=1)
    lanes.hold([attempt(topic, "warm") for topic in "aabb"])
    assert len(list(lanes.ready())) == 1
    assert list(lanes.followers(0.0)) == []


def test_a_free_slot_is_offered_the_last_of_the_longest_chain():
    lanes = with_short_runs()
    some = [attempt("a", "warm") for _ in range(6)]
    lanes.hold(some)
    list(lanes.ready())
    list(lanes.followers(0.0))
    assert lanes.spare() is None
    for one in (some[1], some[3], some[5]):  # one slot ends all it has
        lanes.leave(one, 5.0, wake=False)
    assert lanes.spare() is some[4]
    lanes.unchain(some[4])
    lanes.hold_again(some[4])
    assert list(lanes.ready()) == [some[4]]
    assert lanes.spare() is None


def test_what_follows_a_long_run_is_overdue():
    lanes = with_short_runs(1)
    some = [attempt("a", "warm") for _ in range(3)]
    lanes.hold(some)
    list(lanes.ready())
    list(lanes.followers(0.0))
    assert lanes.overdue(0.099, 100) == []
    assert lanes.overdue(0.101, 100) == [some[2], some[1]]


@given(
    st.integers(1, 8),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1),
    st.data(),
)
def test_neither_the_pool_nor_a_lane_is_ever_exceeded(size, limits, data):
    lanes = Lanes(pool(size, **limits))
    running: list[attempt] = []
    behind: dict[attempt, attempt] = {}
    for _ in range(40):
        demand = lanes.demand()
        if demand is not None:
            claimed = claim_all(lanes, demand)
            some = data.draw(st.integers(0, len(claimed)))
            if some < demand.total:
                lanes.came_short(demand)
            lanes.hold([attempt(topic, "warm") for topic in claimed[:some]])
        running.extend(lanes.ready())
        behind.update({before: one for one, before in lanes.followers(0.0)})
        topics = [one.execution.topic for one in running]
        assert len(running) == lanes.busy <= size
        assert all(topics.count(topic) <= limit for topic, limit in limits.items())
        assert lanes.following == len(behind)
        if running and data.draw(st.booleans()):
            ended = running.pop(data.draw(st.integers(0, len(running) - 1)))
            if ended in behind:
                running.append(behind.pop(ended))
            lanes.leave(ended, data.draw(st.sampled_from([0.01, 5.0, 5_000.0])), wake=True)
        if data.draw(st.booleans()):
            lanes.wake()
