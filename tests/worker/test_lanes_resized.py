"""Lanes at a reload: what runs goes on and is counted, what is served changes, no slot is lost or doubled."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.worker.lanes import Lanes


class attempt:  # noqa: N801 - reads as one in `hold([attempt("a")])`
    def __init__(self, topic: str) -> None:
        self.execution = SimpleNamespace(topic=topic)
        self.chain = "warm"
        self.started = 0.0


def pool(size: int | None = None, **limits: int) -> Pool:
    lanes = tuple(Lane(tuple(topics.split("_")), limit) for topics, limit in limits.items())
    return Pool(sum(limits.values()) if size is None else size, lanes, "test")


def run(lanes: Lanes, *topics: str) -> list[attempt]:
    assert lanes.hold([attempt(topic) for topic in topics]) == []
    return list(lanes.ready())


def asked(lanes: Lanes) -> dict[str, int]:
    demand = lanes.demand()
    return {topic: lane.limit for lane in demand.lanes for topic in lane.topics} if demand else {}


def test_a_topic_taken_away_is_claimed_no_more_and_its_runs_hold_their_places_until_they_end():
    lanes = Lanes(pool(a=1, b=2))
    first, second = run(lanes, "b", "b")
    lanes.resize(pool(a=2))
    assert lanes.topics == ("a",)
    assert lanes.busy == 2
    assert lanes.demand() is None  # the pool of 2 is full of what ends soon
    lanes.leave(first, 1000.0, wake=False)
    assert asked(lanes) == {"a": 2}
    assert lanes.demand().total == 1
    lanes.leave(second, 1000.0, wake=False)
    assert lanes.busy == 0
    assert lanes.demand().total == 2


def test_a_topic_that_gets_a_group_of_its_own_counts_what_runs_already():
    lanes = Lanes(pool(a_b=3))
    b1, _a, b2 = run(lanes, "b", "a", "b")
    lanes.resize(pool(a=3, b=2))
    assert asked(lanes) == {"a": 2}
    lanes.leave(b1, 1000.0, wake=False)
    assert asked(lanes) == {"a": 2, "b": 1}
    lanes.leave(b2, 1000.0, wake=False)
    assert asked(lanes) == {"a": 2, "b": 2}


def test_a_pool_that_shrinks_starts_nothing_before_enough_has_ended():
    lanes = Lanes(pool(a=4))
    running = run(lanes, "a", "a", "a", "a")
    lanes.resize(pool(a=2))
    for one in running[:2]:
        lanes.leave(one, 1000.0, wake=False)
        assert lanes.demand() is None
    lanes.leave(running[2], 1000.0, wake=False)
    assert asked(lanes) == {"a": 1}


def test_what_is_taken_back_for_a_topic_that_is_gone_by_now_is_refused():
    lanes = Lanes(pool(a_b=1))
    head, follower = attempt("a"), attempt("b")
    lanes.hold([head])
    lanes.leave(*lanes.ready(), 1.0, wake=False)
    lanes.hold([head, follower])
    assert list(lanes.ready()) == [head]
    assert list(lanes.followers(0.0)) == [(follower, head)]
    lanes.resize(pool(a=1))
    assert not lanes.drop(follower)  # a cancellation looks whether it is held
    lanes.unchain(follower)
    assert not lanes.hold_again(follower)
    assert (lanes.held, lanes.following, lanes.busy) == (0, 0, 1)


def test_what_was_claimed_for_a_topic_that_is_gone_by_now_is_handed_back():
    lanes = Lanes(pool(a=1, b=1))
    demand = lanes.demand()
    lanes.resize(pool(a=1))
    mine, stray = attempt("a"), attempt("b")
    assert lanes.hold([mine, stray]) == [stray]
    assert list(lanes.ready()) == [mine]
    assert lanes.leave(stray, None, wake=True) is None
    lanes.came_short(demand)  # the answer to a question of before says nothing of the lanes of now
    lanes.leave(mine, 1000.0, wake=False)
    assert asked(lanes) == {"a": 1}


def test_a_follower_that_could_not_be_taken_back_counts_in_its_own_lane_once_it_begins():
    lanes = Lanes(pool(a_b=1))
    (head,) = run(lanes, "a")
    lanes._by_topic["a"].mean_ms = 0.1
    follower = attempt("b")
    lanes.hold([follower])
    assert [one for one, _ in lanes.followers(0.0)] == [follower]
    lanes.resize(pool(a=1, b=1))
    lanes._by_topic["a"].mean_ms = lanes._by_topic["b"].mean_ms = None
    assert lanes.leave(head, None, wake=False) is follower
    assert asked(lanes) == {"a": 1}
    assert lanes.leave(follower, None, wake=False) is None
    assert lanes.busy == lanes.following == 0
    assert set(asked(lanes)) == {"a", "b"}


def test_a_worker_all_whose_lanes_are_dry_is_so_with_a_closed_lane_too():
    lanes = Lanes(pool(a=1, b=1))
    (gone,) = run(lanes, "b")
    lanes.resize(pool(a=1))
    lanes.leave(gone, 1000.0, wake=False)
    lanes.came_short(lanes.demand())
    assert lanes.all_dry


SHAPES = [{"a_b": 2}, {"a": 1, "b": 2}, {"b": 1}, {"a_b_c": 3}, {"c": 2, "a": 1}, {"c_a": 1, "b": 1}]


@given(st.data())
def test_after_any_reloads_the_books_are_right_and_every_place_comes_back(data: st.DataObject):
    lanes, shape = Lanes(pool(**SHAPES[0])), SHAPES[0]
    running: list[attempt] = []
    for _ in range(data.draw(st.integers(1, 25))):
        step = data.draw(st.sampled_from(["claim", "end", "reload"]))
        if step == "reload":
            lanes.take_unstarted()
            shape = data.draw(st.sampled_from(SHAPES))
            lanes.resize(pool(**shape))
        elif step == "claim":
            demand = lanes.demand()
            for topic in [lane.topics[0] for lane in demand.lanes] if demand else []:
                lanes.hold([attempt(topic)])
            running += lanes.ready()
        elif running:
            lanes.leave(running.pop(data.draw(st.integers(0, len(running) - 1))), 500.0, wake=False)
        assert lanes.busy == len(running)
        assert {topic for topics in shape for topic in topics.split("_")} == set(lanes.topics)
    for one in running:
        lanes.leave(one, 500.0, wake=False)
    lanes.take_unstarted()
    assert lanes.busy == lanes.held == lanes.following == 0
    lanes.resize(pool(**shape))
    assert lanes.demand().total == sum(shape.values())
