"""The servers that tests start: they serve, they break on demand, and they never outlive the test run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support import server_keeper, servers
from support.daemons import until

pytestmark = [pytest.mark.services, pytest.mark.slow]


def pings(server) -> bool:
    return servers.exchange(server.port, b"PING\r\n", 7) == b"+PONG\r\n"


def test_what_redis_holds_survives_a_restart(private_redis):
    server = private_redis()
    assert servers.exchange(server.port, b"SET a 1\r\n", 5) == b"+OK\r\n"
    server.restart()
    assert servers.exchange(server.port, b"GET a\r\n", 7) == b"$1\r\n1\r\n"


def test_a_paused_server_keeps_its_port_but_does_not_answer(private_redis):
    server = private_redis()
    server.pause()
    assert not pings(server)
    server.resume()
    until(lambda: pings(server), "an answer after resume")


def test_a_killed_server_starts_again_on_its_port(private_redis):
    server = private_redis()
    url = server.url
    server.kill()
    assert not server.running
    assert not pings(server)
    server.start()
    assert server.url == url
    assert pings(server)


def test_a_server_that_cannot_start_says_what_its_log_says(private_redis):
    with pytest.raises(servers.ServerError, match=r"(?s)did not start: .*no-such-directive"):
        private_redis("--no-such-directive", "1")


def test_what_postgres_has_committed_survives_a_kill(private_postgres):
    server = private_postgres()
    server.sql("CREATE TABLE t AS SELECT 7 AS n")
    server.kill()
    server.start()
    assert server.sql("SELECT n FROM t") == "7"


def test_postgres_gives_a_database_to_each_who_asks(postgres_server):
    one, two = postgres_server.new_database(), postgres_server.new_database()
    assert one != two
    postgres_server.sql("CREATE TABLE only_here ()", url=one)
    assert postgres_server.sql("SELECT to_regclass('only_here') IS NULL", url=two) == "t"
    for url in (one, two):
        postgres_server.drop_database(url)


def test_a_paused_postgres_answers_again_after_resume(private_postgres):
    server = private_postgres()
    server.pause()
    server.resume()
    assert server.sql("SELECT 1") == "1"


@pytest.mark.timeout(180)  # two starts of it
def test_rabbitmq_survives_a_kill_and_obeys_its_own_ctl(private_rabbitmq):
    server = private_rabbitmq()
    server.ctl("add_vhost", "mine")
    server.kill()
    server.start()
    assert "mine" in server.ctl("list_vhosts", "--silent")


STARTS_ONE = """
import sys, time
sys.path.insert(0, {tests!r})
from support.server_kinds import RedisServer
server = RedisServer().start()
print(server.directory, flush=True)
time.sleep(600)
"""


def test_no_server_outlives_a_test_run_that_was_killed():
    code = STARTS_ONE.format(tests=str(Path(__file__).parents[1]))
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as run:
        directory = Path(run.stdout.readline().strip())
        assert server_keeper.processes_below(directory / "run")
        os.kill(run.pid, signal.SIGKILL)
    until(lambda: not server_keeper.processes_below(directory), "the end of its server")
    until(lambda: not directory.exists(), "the removal of its directory")


def test_a_shared_server_may_start_in_the_middle_of_a_test(request):
    server = request.getfixturevalue(
        "redis_server"
    )  # it lives on after this test, and the leak check accepts that
    assert pings(server)
