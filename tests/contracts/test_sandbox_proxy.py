"""A run with a list of hosts reaches those through the daemon's proxy, and nothing else by any way."""

import contextlib
import http.server
import os
import sys
import threading
from collections.abc import Iterator

import pytest

from netscript_workers.domain.permissions import Permissions
from netscript_workers.sandbox.proxying import RefusedError, parse
from support import ground
from support.confined import NOBODY, Order, Run, run_as

pytestmark = pytest.mark.slow
needs_root = pytest.mark.skipif(
    sys.platform != "linux" or os.geteuid() != 0,
    reason="only root can show both root's runs and an ordinary user's",
)
users = pytest.mark.parametrize("user", [0, NOBODY], ids=["root", "ordinary user"])
FETCH = "import sys, urllib.request; print(urllib.request.urlopen(sys.argv[1], timeout=10).read().decode())"
TUNNEL = """
import socket, sys

with socket.create_connection(('127.0.0.1', 3128), timeout=10) as s:
    s.sendall(f'CONNECT {sys.argv[1]} HTTP/1.1\\r\\n\\r\\n'.encode())
    answer = s.recv(4096)
    print(answer.split(b'\\r\\n')[0].decode())
    if b' 200 ' in answer:
        s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')
        print(s.makefile('rb').read().decode())
"""
DIRECT = "import socket, sys; socket.create_connection((sys.argv[1].split(':')[0], int(sys.argv[1].split(':')[1])), timeout=5)"
UNLED = (
    "import os, sys, urllib.request; [os.environ.pop(n) for n in list(os.environ) if 'proxy' in n.lower()]; "
    "urllib.request.urlopen('http://' + sys.argv[1], timeout=5)"
)


class Hello(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = f"hello at {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Serve on this machine; yields host and port."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hello)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def run(user: int, code: str, argument: str, *hosts: str) -> Run:
    argv = (ground.needs_system_python(), "-I", "-c", code, argument)
    return run_as(user, [Order(argv=argv, cwd="/", permissions=Permissions(net=hosts))])[0]


@needs_root
@users
def test_a_listed_host_is_reached_by_a_plain_request(user):
    with served() as place:
        assert run(user, FETCH, f"http://{place}/some?thing", place).out == "hello at /some?thing\n"


@needs_root
@users
def test_a_listed_host_is_reached_through_a_tunnel(user):
    with served() as place:
        out = run(user, TUNNEL, place, place).out
    assert out.startswith("HTTP/1.1 200")
    assert "hello at /" in out


@needs_root
@users
def test_another_port_of_a_listed_host_is_refused_and_said(user):
    with served() as place, served() as other:
        result = run(user, FETCH, f"http://{other}/", place)
    assert result.status == 1
    assert f'net = ["{other}"]' in (result.denied or "")
    assert "403" in result.err


@needs_root
@users
@pytest.mark.parametrize("code", [DIRECT, UNLED], ids=["a connection", "a request without the variables"])
def test_no_way_leads_around_the_proxy(user, code):
    with served() as place:
        result = run(user, code, place, place)
    assert result.status == 1
    assert "refused" in result.err


@needs_root
@users
def test_names_are_not_looked_up_inside(user):
    code = "import socket, sys; print(socket.getaddrinfo(sys.argv[1], 80))"
    assert run(user, code, "example.com", "example.com").status == 1


@needs_root
def test_a_name_that_leads_to_this_machine_is_refused():
    with served() as place:
        port = place.rpartition(":")[2]
        out = run(0, TUNNEL, f"localhost.localdomain:{port}", f"localhost.localdomain:{port}").out
    assert out.startswith(("HTTP/1.1 403", "HTTP/1.1 502"))


@pytest.mark.parametrize(
    ("head", "forward"),
    [
        (b"CONNECT h.example:443 HTTP/1.1\r\n\r\n", b""),
        (
            b"GET http://h.example/a?b HTTP/1.1\r\nHost: h.example\r\n\r\n",
            b"GET /a?b HTTP/1.1\r\nHost: h.example\r\n",
        ),
        (
            b"GET http://h.example:81/ HTTP/1.1\r\nHost: other.example\r\nhOsT : third.example\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h.example:81\r\nConnection: close",
        ),
        (
            b"GET http://h.example HTTP/1.1\r\nProxy-Authorization: x\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: h.example\r\nConnection: close",
        ),
    ],
)
def test_a_request_is_sent_on_as_a_server_expects_it(head, forward):
    request = parse(head)
    assert request.host == "h.example"
    assert request.forward.startswith(forward)
    assert (b"Connection: close\r\n\r\n" in request.forward) is bool(forward)


@pytest.mark.parametrize(
    "head",
    [
        b"GET / HTTP/1.1\r\nHost: h.example\r\n\r\n",
        b"CONNECT h.example HTTP/1.1\r\n\r\n",
        b"GET ftp://h.example/ HTTP/1.1\r\n\r\n",
        b"GET http://h.example:x/ HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
        b"GET http://h\xff/ HTTP/1.1\r\n\r\n",
        b"GET http://a@[::1/ HTTP/1.1\r\n\r\n",
        b"GET http://h.example/ HTTP/1.1\r\nX: a\nHost: other.example\r\n\r\n",
        b"GET http://h.example/ HTTP/1.1\r\nX: a\r\n Host: other.example\r\n\r\n",
        b"GET http://h.example/ HTTP/1.1\r\nX: a\rHost: other.example\r\n\r\n",
    ],
)
def test_what_is_no_request_to_a_proxy_is_refused(head):
    with pytest.raises(RefusedError):
        parse(head)
