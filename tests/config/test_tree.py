"""Which processes `workers run` keeps."""

import pytest

from netscript_workers.config.tree import Branch, plan_tree

GROUPS = """
[[groups]]
topic = "mail"
scaling = { mode = "distributed" }
[[groups]]
topic = "media"
[[groups]]
topic = "video"
scaling = { mode = "distributed" }
"""


def alone(topic):
    return Branch(name=f"worker-{topic}", role="worker", topics=(topic,))


def together(*topics, without=()):
    return Branch(name="combined", role="combined", topics=topics, without=without)


@pytest.mark.parametrize(
    ("text", "topics", "expected"),
    [
        ("", (), [together()]),
        ('[[groups]]\ntopic = "media"', (), [together()]),
        (GROUPS, (), [together(without=("mail", "video")), alone("mail"), alone("video")]),
        (GROUPS, ("mail",), [alone("mail")]),
        (GROUPS, ("media", "video"), [together("media"), alone("video")]),
        (GROUPS, ("other",), [together("other")]),
    ],
)
def test_each_distributed_group_has_a_process_of_its_own_and_the_rest_share_one(load, text, topics, expected):
    branches = [one for one in plan_tree(load(text).settings, topics) if one.role != "scheduler"]
    assert branches == expected
