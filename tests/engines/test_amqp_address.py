"""What a URL of a RabbitMQ says, and that nothing in it is ignored or told."""

import pytest

from netscript_workers import config
from netscript_workers.config.values import AMQP_PARAMETERS
from netscript_workers.engines.amqp import Address, QueueType
from netscript_workers.engines.amqp.address import PARAMETERS
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


REFUSED = [
    ("amqp://h?queue_typ=quorum", "queue_typ"),
    ("amqp://h?queue_type=stream", "queue_type"),
    ("amqp://h?heartbeat=0", "heartbeat"),
    ("amqp://h?heartbeat=soon", "heartbeat"),
    ("amqp://h?cafile=/ca.pem", "amqps://"),
]


@pytest.mark.parametrize(("url", "named"), [*REFUSED, ("http://h", "amqp://user@host")])
def test_what_cannot_be_honoured_is_refused(url, named):
    with pytest.raises(ConfigError) as refused:
        Address.parse(url)
    assert named in str(refused.value)


@pytest.mark.parametrize(("url", "named"), REFUSED)
def test_validate_refuses_the_same_with_its_place(tmp_path, url, named):
    (tmp_path / "config.toml").write_text(f'[connections]\namqp_url = "{url}"\n')
    loaded = config.load(config.LoadOptions(path=tmp_path / "config.toml", environ={}, cwd=tmp_path))
    (problem,) = loaded.problems
    assert (problem.code, problem.path, problem.line) == ("E019", "connections.amqp_url", 2)
    assert named in problem.message


def test_validate_knows_the_parameters_that_the_engine_knows():
    assert tuple(AMQP_PARAMETERS) == PARAMETERS


def test_a_password_that_looks_like_parameters_is_not_told(tmp_path):
    (tmp_path / "config.toml").write_text('[connections]\namqp_url = "amqp://me:12?hunter2@host"\n')
    loaded = config.load(config.LoadOptions(path=tmp_path / "config.toml", environ={}, cwd=tmp_path))
    assert loaded.problems
    assert "hunter2" not in str(loaded.problems)
