"""The proxy as a hostile run would use it up: what one run opens, and where names lead."""

import asyncio
import contextlib
import socket

import pytest

from netscript_workers.sandbox.hosts import parse
from netscript_workers.sandbox.proxy import Proxy
from netscript_workers.sandbox.proxying import leads_here

SECONDS = 20
MOST = 64


@contextlib.asynccontextmanager
async def served():
    """Announce a run to a proxy; yields its pass and the port that it listens on."""
    proxy = Proxy()
    await proxy.start()
    given = proxy.admit([parse("127.0.0.1:1")])
    try:
        with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
            port = listening.getsockname()[1]
            connection = socket.socket(socket.AF_UNIX)
            connection.connect(proxy.path)
            with connection:
                socket.send_fds(connection, [given.token], [listening.fileno()])
                await until(lambda: given.acceptor is not None)
        yield given, port
    finally:
        await proxy.stop()


async def until(condition):
    async with asyncio.timeout(SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_run_that_opens_connections_without_end_takes_a_bounded_share_of_descriptors():
    async with served() as (given, port):
        opened = contextlib.ExitStack()
        for _ in range(MOST + 20):
            client = opened.enter_context(socket.create_connection(("127.0.0.1", port)))
        await until(lambda: len(given.tasks) == MOST)
        client.sendall(b"CONNECT 127.0.0.1:2 HTTP/1.1\r\n\r\n")
        opened.close()  # what was open ends, and what waited is served
        with socket.create_connection(("127.0.0.1", port)) as last:
            last.sendall(b"CONNECT 127.0.0.1:3 HTTP/1.1\r\n\r\n")
            await until(lambda: "127.0.0.1:3" in given.refused)
        assert given.refused == ["127.0.0.1:2", "127.0.0.1:3"]


async def test_a_shortage_of_descriptors_does_not_end_the_proxy(monkeypatch):
    accept = asyncio.get_running_loop().sock_accept
    short = [24, 23, 103]

    async def accept_when_there_are_some(listening):
        if short:
            raise OSError(short.pop(), "short")
        return await accept(listening)

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_accept", accept_when_there_are_some)
    async with served() as (given, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            client.sendall(b"CONNECT 127.0.0.1:2 HTTP/1.1\r\n\r\n")
            await until(lambda: given.refused)
    assert short == []


async def test_what_a_run_opened_ends_with_its_pass():
    async with served() as (given, port):
        with socket.create_connection(("127.0.0.1", port)) as client:
            await until(lambda: given.tasks)
            proxy_end = asyncio.to_thread(client.recv, 1)
            for task in (given.acceptor, *given.tasks):
                task.cancel()
            assert await asyncio.wait_for(proxy_end, SECONDS) == b""


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.9.9.9",
        "::1",
        "::ffff:127.0.0.1",
        "0.0.0.0",
        "::",
        "169.254.169.254",
        "fe80::1%lo",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
    ],
)
def test_a_name_does_not_lead_to_this_machine_nor_to_its_credentials(address):
    assert leads_here(address)


@pytest.mark.parametrize("address", ["192.0.2.1", "10.255.254.253", "2001:db8::1", "::ffff:192.0.2.1"])
def test_a_name_may_lead_elsewhere(address):
    assert not leads_here(address)


def test_an_address_of_an_interface_is_this_machine():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no way out, so no address but loopback's")
        assert leads_here(probe.getsockname()[0])
