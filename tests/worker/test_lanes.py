"""Lanes: limits hold, nobody starves, look-ahead only where runs are short."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.worker.lanes import MAX_LOOK_AHEAD, Lanes


def attempt(topic: str) -> SimpleNamespace:
    return SimpleNamespace(execution=SimpleNamespace(topic=topic))


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
    assert lanes.thirsty
    lanes.wake()
    assert lanes.demand() is not None


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
            lanes.release(one.execution.topic, 1_000.0, wake=False)
    assert {topic: started.count(topic) for topic in "abc"} == {"a": 10, "b": 10, "c": 10}


def test_long_runs_are_never_claimed_ahead():
    lanes = Lanes(pool(2, a=2))
    lanes.hold([attempt("a"), attempt("a")])
    for one in list(lanes.ready()):
        lanes.release(one.execution.topic, 5_000.0, wake=False)
    assert lanes.demand().total == 2


def test_short_runs_are_claimed_ahead_within_a_bound_and_not_in_crumbs():
    lanes = Lanes(pool(2, a=2))
    lanes.hold([attempt("a"), attempt("a")])
    for one in list(lanes.ready()):
        lanes.release(one.execution.topic, 0.02, wake=False)
    demand = lanes.demand()
    assert demand.total == 2 + MAX_LOOK_AHEAD
    lanes.hold([attempt("a")] * demand.total)
    next(lanes.ready())
    assert lanes.demand() is None


def test_a_look_ahead_that_got_stuck_is_handed_out_and_ends_the_looking_ahead():
    lanes = Lanes(pool(1, a=1))
    lanes.hold([attempt("a")])
    for one in list(lanes.ready()):
        lanes.release(one.execution.topic, 0.02, wake=False)
    lanes.hold([attempt("a")] * 5)
    assert len(list(lanes.ready())) == 1
    assert len(lanes.take_unstarted()) == 4
    assert lanes.held == 0
    assert lanes.demand() is None


@given(
    st.integers(1, 8),
    st.dictionaries(st.sampled_from("abcd"), st.integers(1, 5), min_size=1),
    st.data(),
)
def test_neither_the_pool_nor_a_lane_is_ever_exceeded(size, limits, data):
    lanes = Lanes(pool(size, **limits))
    running: list[str] = []
    for _ in range(40):
        demand = lanes.demand()
        if demand is not None:
            claimed = claim_all(lanes, demand)
            some = data.draw(st.integers(0, len(claimed)))
            if some < demand.total:
                lanes.came_short(demand)
            lanes.hold([attempt(topic) for topic in claimed[:some]])
        running.extend(one.execution.topic for one in lanes.ready())
        assert len(running) == lanes.busy <= size
        assert all(running.count(topic) <= limit for topic, limit in limits.items())
        if running and data.draw(st.booleans()):
            topic = running.pop(data.draw(st.integers(0, len(running) - 1)))
            lanes.release(topic, data.draw(st.sampled_from([0.01, 5.0, 5_000.0])), wake=True)
        if data.draw(st.booleans()):
            lanes.wake()
