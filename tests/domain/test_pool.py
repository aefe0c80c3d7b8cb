from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.domain.pool import Lane, SizeOverride, plan_pool

TOPICS = st.sampled_from(["default", "a", "b", "c", "d"])
GROUPS = st.dictionaries(TOPICS, st.integers(1, 20), max_size=4)
OVERRIDES = st.none() | st.builds(SizeOverride, st.integers(1, 50), st.just("--concurrency"))
PLANS = st.fixed_dictionaries(
    {
        "groups": GROUPS,
        "concurrency": st.integers(1, 20),
        "topics": st.lists(TOPICS, max_size=5),
        "served": st.lists(TOPICS, max_size=4).map(tuple),
        "override": OVERRIDES,
        "configured": st.booleans(),
    }
)


def test_a_group_has_its_own_lane_and_all_other_topics_share_one():
    pool = plan_pool(groups={"webhooks": 10}, concurrency=2, topics=["mail", "webhooks", "reports"])
    assert pool.lanes == (Lane(("default", "mail", "reports"), 2), Lane(("webhooks",), 10))
    assert pool.size == 12
    assert pool.rule == "the lanes served add up: 2 (default, mail, reports) + 10 (webhooks) = 12"


def test_an_override_sets_the_size_and_the_lanes_keep_their_limits():
    pool = plan_pool(groups={"webhooks": 10}, concurrency=4, override=SizeOverride(4, "WORKERS_CONCURRENCY"))
    assert pool.size == 4
    assert [lane.limit for lane in pool.lanes] == [4, 10]
    assert pool.rule.startswith("WORKERS_CONCURRENCY sets the size of the pool to 4")


def test_with_nothing_said_the_pool_is_one():
    pool = plan_pool(groups={}, concurrency=2, configured=False)
    assert (pool.size, pool.lanes) == (1, (Lane(("default",), 2),))


def test_topics_left_to_others_are_in_no_lane():
    pool = plan_pool(
        groups={"mail": 3, "media": 1}, concurrency=2, topics=["mail"], without=("mail", "default")
    )
    assert pool.lanes == (Lane(("media",), 1),)
    assert plan_pool(groups={}, concurrency=2, without=("default",)).lanes == ()


def test_a_served_topic_restricts_the_lanes():
    groups = {"webhooks": 10}
    only = plan_pool(groups=groups, concurrency=2, topics=["mail"], served=("webhooks",))
    assert (only.size, only.lanes) == (10, (Lane(("webhooks",), 10),))
    shared = plan_pool(groups=groups, concurrency=2, topics=["mail", "x"], served=("mail", "nobody-knows"))
    assert (shared.size, shared.lanes) == (2, (Lane(("mail", "nobody-knows"), 2),))


def test_a_group_may_bind_the_default_topic():
    pool = plan_pool(groups={"default": 5}, concurrency=2)
    assert (pool.size, pool.lanes) == (5, (Lane(("default",), 5),))


@given(PLANS)
def test_no_topic_is_in_two_lanes_and_each_lane_has_a_topic_and_a_slot(plan):
    pool = plan_pool(**plan)
    topics = [topic for lane in pool.lanes for topic in lane.topics]
    assert len(topics) == len(set(topics))
    assert all(lane.topics and lane.limit >= 1 for lane in pool.lanes)
    assert pool.size >= 1
    assert pool.rule


@given(PLANS)
def test_what_is_served_is_what_was_asked_for(plan):
    topics = {topic for lane in plan_pool(**plan).lanes for topic in lane.topics}
    assert topics == set(plan["served"] or ({"default"} | set(plan["topics"]) | set(plan["groups"])))


@given(PLANS)
def test_the_size_follows_the_rule(plan):
    pool = plan_pool(**plan)
    if plan["override"] is not None:
        assert pool.size == plan["override"].size
    elif not plan["configured"]:
        assert pool.size == 1
    else:
        assert pool.size == sum(lane.limit for lane in pool.lanes)
    for lane in pool.lanes:
        is_group = lane.topics[0] in plan["groups"]
        assert lane.limit == (plan["groups"][lane.topics[0]] if is_group else plan["concurrency"])
