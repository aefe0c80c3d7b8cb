"""What a URL of a RabbitMQ says, and that nothing in it is ignored or told."""

import pytest

from netscript_workers.engines.amqp import Address, QueueType
from netscript_workers.errors import ConfigError


def test_every_part_of_a_url_is_read():
    address = Address.parse(
        "amqps://u%40x:p%2Fw@mq.example:5999/my%2Fhost?queue_type=quorum&heartbeat=9&cafile=/ca.pem"
    )
    assert (address.host, address.port, address.vhost) == ("mq.example", 5999, "my/host")
    assert (address.user, address.password, address.tls) == ("u@x", "p/w", True)
    assert (address.queue_type, address.heartbeat_s, address.cafile) == (QueueType.QUORUM, 9, "/ca.pem")


def test_what_a_url_leaves_out_is_what_rabbitmq_ships_with():
    address = Address.parse("amqp://mq")
    assert (address.port, address.vhost, address.user, address.password) == (5672, "/", "guest", "guest")
    assert (address.queue_type, address.tls) == (QueueType.CLASSIC, False)
    assert Address.parse("amqps://mq/").port == 5671
    assert Address.parse("amqp://guest@mq/").password == "guest"
    assert Address.parse("amqp://me@mq/").password == ""


def test_an_address_never_prints_its_password():
    address = Address.parse("amqp://user:hunter2@[::1]:5672/jobs")
    for text in (repr(address), str(address), f"{address}", address.shown, address.place):
        assert "hunter2" not in text
        assert "user" not in text
    assert address.shown == "amqp://***@[::1]:5672/jobs"


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("amqp://h?queue_typ=quorum", "queue_typ"),
        ("amqp://h?queue_type=stream", "stream"),
        ("amqp://h?heartbeat=0", "heartbeat=0"),
        ("amqp://h?heartbeat=soon", "heartbeat=soon"),
        ("amqp://h?cafile=/ca.pem", "amqps://"),
        ("http://h", "amqp://user@host"),
    ],
)
def test_what_cannot_be_honoured_is_refused(url, named):
    with pytest.raises(ConfigError) as refused:
        Address.parse(url)
    assert named in str(refused.value)
