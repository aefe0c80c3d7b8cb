"""How a delay is parted into stretches: few queues, never early, hardly late."""

from hypothesis import given
from hypothesis import strategies as st

from netscript_workers.engines.amqp.address import QueueType
from netscript_workers.engines.amqp.tickets import MOST_AT_ONCE, Ticket, read_ticket, tickets_for
from netscript_workers.engines.amqp.topology import LONGEST_MS, Stretch, Topology

YEAR_MS = 365 * 24 * 3_600_000


def stretches(delay_ms):
    parts = [Stretch(delay_ms)]
    while parts[-1].rest:
        parts.append(Stretch(parts[-1].rest))
    return parts


@given(st.integers(1, YEAR_MS))
def test_the_stretches_of_a_delay_add_up_to_it_and_at_most_eight_ms_more(delay_ms):
    parts = stretches(delay_ms)
    assert 0 <= sum(part.ms for part in parts) - delay_ms < 8
    assert all(0 < part.ms <= LONGEST_MS for part in parts)


def test_a_day_has_few_stretches_and_all_delays_have_few_queues():
    topology = Topology("jobs", QueueType.CLASSIC)
    assert len(stretches(24 * 3_600_000 - 1)) <= 9
    names = {topology.delay("mail", part) for delay in range(1, 1 << 22, 977) for part in stretches(delay)}
    assert len(names) < 180


def test_names_of_topics_are_told_apart_and_fit_into_a_queue_name():
    topology = Topology("jobs", QueueType.CLASSIC)
    topics = ["mail", "Mail", "e mail", "e#20mail", "é", "", "x" * 300, "x" * 299 + "y"]
    names = {topology.ready(topic) for topic in topics}
    assert len(names) == len(topics)
    assert all(len(name) < 256 for name in names)
    for topic in topics:
        assert topology.declare_ready(topic).marshal()


def test_a_batch_has_a_ticket_for_each_execution_and_no_more_than_are_of_use():
    work = [("a", 0)] * 3 + [("b", 0)] * 500 + [("a", 9), ("a", 10), ("a", 17)]
    found = tickets_for(work)
    assert found.count(Ticket("a")) == 3
    assert found.count(Ticket("b")) == MOST_AT_ONCE
    assert [found.count(Ticket("a", delay)) for delay in (16, 24)] == [2, 1]


def test_only_a_ticket_is_read_as_one():
    assert read_ticket(b'{"topic":"a","delay_ms":5}') == Ticket("a", 5)
    for body in (b"", b"[]", b'{"topic":1}', b"\xff", b'{"jobId":"a"}'):
        assert read_ticket(body) is None
