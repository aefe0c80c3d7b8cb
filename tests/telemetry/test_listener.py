"""The little HTTP server: what it answers, and what it bounds."""

import asyncio
import contextlib
import json
import re
import socket

import pytest

from netscript_workers.errors import ListenError
from netscript_workers.telemetry import listener as listening
from netscript_workers.telemetry.health import Health, pages
from netscript_workers.telemetry.listener import Answer, Listener, tcp

PATIENCE_S = 20.0


@contextlib.asynccontextmanager
async def served(some_pages):
    listener = Listener("test", some_pages, lambda: tcp("127.0.0.1:0"))
    await listener.start()
    try:
        yield int(listener.address.rpartition(":")[2])
    finally:
        await listener.stop(1_000)


async def said(port, request: bytes) -> bytes:
    async with asyncio.timeout(PATIENCE_S):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return await reader.read()
        finally:
            writer.close()
            await writer.wait_closed()


def health(**changes):
    return lambda: Health(**{"live": True, "ready": True, "role": "worker", "pid": 1, **changes})


async def test_the_probes_answer_as_the_daemon_is():
    async with served(pages(health())) as port:
        for path in (b"/livez", b"/readyz", b"/healthz?verbose=1"):
            assert (await said(port, b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path)).startswith(
                b"HTTP/1.1 200 OK"
            )
    async with served(pages(health(ready=False, reason="paused"))) as port:
        assert b" 200 " in await said(port, b"GET /livez HTTP/1.1\r\n\r\n")
        answer = await said(port, b"GET /readyz HTTP/1.1\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert answer.endswith(b"paused\n")
        body = (await said(port, b"GET /healthz HTTP/1.1\r\n\r\n")).partition(b"\r\n\r\n")[2]
        assert set(json.loads(body)) == {"live", "ready", "role", "pid", "reason", "degraded"}
    async with served(pages(health(live=False, ready=False))) as port:
        assert b" 503 " in await said(port, b"GET /livez HTTP/1.1\r\n\r\n")


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (b"GET /nothing HTTP/1.1\r\n\r\n", b"404"),
        (b"POST /livez HTTP/1.1\r\n\r\n", b"405"),
        (b"GET /livez\r\n\r\n", b"400"),
        (b"GET /livez HTTP/2.0\r\n\r\n", b"400"),
        (b"\x16\x03\x01\x02\r\n\r\n", b"400"),
        (b"GET /broken HTTP/1.1\r\n\r\n", b"500"),
        (b"GET /livez HTTP/1.1\r\n" + b"X: y\r\n" * 20_000, b"431"),
    ],
)
async def test_what_is_no_request_for_a_page_is_refused(request_, status, caplog):
    async def broken() -> Answer:
        raise RuntimeError("a fault")

    async with served({**pages(health()), "/broken": broken}) as port:
        with_limits = await said(port, request_)
    assert with_limits.split(b" ")[1] == status


async def test_a_head_is_answered_without_a_body():
    async with served(pages(health())) as port:
        answer = await said(port, b"HEAD /livez HTTP/1.1\r\n\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert b"Content-Length: 3\r\n" in answer


async def test_a_request_that_trickles_in_is_ended(monkeypatch):
    monkeypatch.setattr(listening, "HEAD_BOUND_S", 0.2)
    async with served(pages(health())) as port:
        assert b" 408 " in await said(port, b"GET /livez HTTP/1.1\r\nX: ")


async def test_connections_are_bounded_and_others_are_served_once_some_are_gone(monkeypatch):
    monkeypatch.setattr(listening, "MAX_CONNECTIONS", 2)
    monkeypatch.setattr(listening, "HEAD_BOUND_S", 0.5)
    async with served(pages(health())) as port:
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(2)]
        async with asyncio.timeout(PATIENCE_S):
            while True:
                try:
                    if b" 200 " in await said(port, b"GET /livez HTTP/1.1\r\n\r\n"):
                        break
                except ConnectionError:
                    continue
        for _, writer in idle:
            writer.close()


async def test_stopping_ends_open_connections():
    async with served(pages(health())) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /li")
        await writer.drain()
    async with asyncio.timeout(PATIENCE_S):
        with contextlib.suppress(ConnectionError):  # as good an end
            assert await reader.read() == b""
    writer.close()


def test_an_address_in_use_is_told_with_its_setting():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ListenError, match=r"metrics\.listen") as told:
            tcp(f"127.0.0.1:{taken.getsockname()[1]}")
    assert told.value.exit_status == 69


def test_processes_of_one_supervisor_take_the_next_free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with tcp(f"127.0.0.1:{port}", 32) as bound:
            assert port < bound.getsockname()[1] < port + 32


@pytest.mark.parametrize("listen", ["no-such-host.invalid:9464", "192.0.2.1:9464"])
def test_an_address_that_is_not_of_this_host_is_told(listen):
    with pytest.raises(ListenError, match=re.escape(listen)):
        tcp(listen)
