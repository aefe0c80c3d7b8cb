"""RabbitMQ over TLS: the certificate is checked, always."""

import subprocess

import pytest

from contracts.amqp import queue_name
from contracts.engines import claimed_ids, new, put
from netscript_workers.engines.amqp import Address, AmqpEngine
from netscript_workers.engines.deno_kv import DenoKvEngine
from netscript_workers.errors import EngineUnavailableError
from support.servers import free_port
from support.services import program

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(120)]


@pytest.fixture
def certificate(tmp_path):
    """A certificate for 127.0.0.1 that nobody but its holder vouches for, with its key."""
    openssl = program("openssl", "it makes the certificates of this test")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=test", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-out", str(cert), "-keyout", str(key)),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    return cert, key


async def test_a_certificate_is_trusted_when_it_is_named_and_refused_when_it_is_not(
    private_rabbitmq, certificate, tmp_path
):
    cert, key = certificate
    port = free_port()
    private_rabbitmq(
        f"listeners.ssl.1 = 127.0.0.1:{port}",
        f"ssl_options.certfile = {cert}",
        f"ssl_options.keyfile = {key}",
        f"ssl_options.cacertfile = {cert}",
        "ssl_options.verify = verify_none",
    )
    url = f"amqps://guest@127.0.0.1:{port}/"
    stranger = AmqpEngine(DenoKvEngine(tmp_path / "a.db"), Address.parse(url), queue_name())
    with pytest.raises(EngineUnavailableError, match="certificate"):
        await stranger.open()
    known = AmqpEngine(DenoKvEngine(tmp_path / "b.db"), Address.parse(f"{url}?cafile={cert}"), queue_name())
    await known.open()
    ids = await put(known, new())
    assert await claimed_ids(known) == ids
    await known.close()


async def test_a_missing_file_of_certificates_is_told(tmp_path):
    address = Address.parse(f"amqps://h?cafile={tmp_path / 'nothing.pem'}")
    with pytest.raises(EngineUnavailableError, match="No such file"):
        await AmqpEngine(DenoKvEngine(tmp_path / "a.db"), address).open()
