"""The server itself in trouble: full, restarted, killed, not there, not ours."""

import asyncio
import shutil
import subprocess

import pytest
from redis.exceptions import ResponseError

from contracts.engines import BOUND_MS, LEASE_MS, claim, claimed_ids, ending, new, put
from netscript_workers.domain import outcome as outcomes
from netscript_workers.domain.execution import Status
from netscript_workers.engines.redis import RedisEngine
from netscript_workers.errors import EngineError, EngineUnavailableError
from support.servers import ServerError, exchange, free_port
from support.services import unavailable

pytestmark = [pytest.mark.faults, pytest.mark.services]
BIG = b'{"x":"' + b"a" * 20_000 + b'"}'


async def test_a_full_server_refuses_new_work_and_lets_what_it_holds_end(private_redis):
    server = private_redis("--maxmemory", "16mb", "--maxmemory-policy", "noeviction")
    engine = RedisEngine(server.url, "jobs")
    await engine.open()
    ids: list[str] = []

    async def fill():
        while True:
            ids.extend(await put(engine, *(new(payload=BIG) for _ in range(20))))

    with pytest.raises(EngineError, match=r"its memory is full \(maxmemory\)"):
        await fill()
    ended = 0
    while claimed := await claim(engine, 50):
        failed = outcomes.failed("boom")
        assert await engine.settle_many([ending(one, failed) for one in claimed]) == [True] * len(claimed)
        ended += len(claimed)
    assert ended == len(ids)
    assert await engine.count_dead() == ended
    exchange(server.port, b"CONFIG SET maxmemory 64mb\r\n", 5)
    await put(engine)
    assert len(await claim(engine)) == 1
    await engine.close()


@pytest.mark.parametrize("end", ["restart", "kill"])
@pytest.mark.timeout(120)
async def test_what_the_server_had_written_down_survives_its_end(private_redis, end):
    server = private_redis("--appendfsync", "always")
    engine = RedisEngine(server.url, "jobs")
    await engine.open()
    done, running, waiting, later = await put(engine, new(), new(), new(), new(delay_ms=86_400_000))
    first, second = await claim(engine, 2)
    await engine.settle_many([ending(first)])
    if end == "restart":
        await asyncio.to_thread(server.restart)
    else:
        await asyncio.to_thread(server.kill)
        with pytest.raises(EngineError):
            await engine.depths()
        await asyncio.to_thread(server.start)
    async with asyncio.timeout(BOUND_MS / 1000):
        while True:
            try:
                records = await engine.get_many([done, running, waiting, later])
                break
            except EngineError:
                await asyncio.sleep(0.05)
    statuses = [Status.COMPLETED, Status.RUNNING, Status.QUEUED, Status.PENDING]
    assert [record.status for record in records] == statuses
    assert await engine.settle_many([ending(first)]) == [False]
    assert await engine.settle_many([ending(second)]) == [True]
    assert await claimed_ids(engine) == [waiting]
    heard = asyncio.create_task(engine.wait_for_end([later], BOUND_MS))
    await asyncio.sleep(0)
    await engine.cancel_many([later])
    assert [one.id for one in await asyncio.wait_for(heard, BOUND_MS / 1000)] == [later]
    await engine.close()


async def test_a_server_that_is_not_there_is_named_without_its_password():
    port = free_port()
    engine = RedisEngine(f"redis://u:hunter2@127.0.0.1:{port}/0", shown=f"redis://***@127.0.0.1:{port}/0")
    with pytest.raises(EngineUnavailableError) as raised:
        await engine.open()
    assert raised.value.exit_status == 69
    assert f"127.0.0.1:{port}" in str(raised.value)
    assert "REDIS_URL" in str(raised.value)
    assert "hunter2" not in str(raised.value)
    await engine.close()


async def test_a_wrong_password_and_a_missing_right_are_told_apart_from_an_outage(private_redis):
    server = private_redis()
    command(server, "CONFIG SET requirepass right")
    engine = RedisEngine(server.url.replace("//", "//:wrong-one@"), shown=server.url)
    with pytest.raises(EngineUnavailableError, match="refuses this user") as raised:
        await engine.open()
    assert "wrong-one" not in str(raised.value)
    right = RedisEngine(server.url.replace("//", "//:right@"), shown=server.url)
    await right.open()
    await put(right)
    assert len(await claim(right)) == 1
    await right.close()


async def test_a_user_with_the_rights_that_the_readme_names_can_do_everything(private_redis):
    server = private_redis()
    command(server, "ACL SETUSER w on >pw ~netscript:* &netscript:* +@all -@dangerous")
    engine = RedisEngine(server.url.replace("//", "//w:pw@"), shown=server.url)
    await engine.open()
    (one,) = await put(engine, new(idempotency_key="k", correlation_id="c"))
    (execution,) = await claim(engine, mail=1)
    assert await engine.settle_many([ending(execution)]) == [True]
    assert [record.id for record in await engine.wait_for_end([one], 0)] == [one]
    await engine.close()


def certificate(folder, host):
    if shutil.which("openssl") is None:
        unavailable("there is no `openssl` here to make a certificate with")
    key, cert = folder / "key.pem", folder / "cert.pem"
    subject = ["-subj", f"/CN={host}", "-addext", f"subjectAltName=DNS:{host}"]
    made = ["-keyout", str(key), "-out", str(cert), "-days", "2", *subject]
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *made], check=True, capture_output=True
    )
    return key, cert


async def test_tls_is_verified(private_redis, tmp_path):
    key, cert = certificate(tmp_path, "localhost")
    port = free_port()
    tls = ["--tls-port", str(port), "--tls-auth-clients", "no", "--tls-ca-cert-file", str(cert)]
    try:
        private_redis(*tls, "--tls-cert-file", str(cert), "--tls-key-file", str(key))
    except ServerError as error:
        if "TLS support" not in str(error):
            raise
        unavailable("this redis-server was built without TLS")
    known = f"ssl_ca_certs={cert}"
    engine = RedisEngine(f"rediss://localhost:{port}/0?{known}")
    await engine.open()
    await put(engine)
    assert len(await claim(engine)) == 1
    await engine.close()
    for url in (f"rediss://localhost:{port}/0", f"rediss://127.0.0.1:{port}/0?{known}"):
        with pytest.raises(EngineUnavailableError, match=r"(?i)certificate"):
            await RedisEngine(url).open()


async def test_a_cluster_is_followed_to_the_node_that_holds_the_queue(redis_cluster_node):
    nodes = [redis_cluster_node() for _ in range(2)]
    command(nodes[0], "CLUSTER ADDSLOTSRANGE 0 8191")
    command(nodes[1], "CLUSTER ADDSLOTSRANGE 8192 16383")
    command(nodes[0], f"CLUSTER MEET 127.0.0.1 {nodes[1].port} {nodes[1].bus_port}")
    await until_ok(*nodes)
    for name in ("jobs", "other", "third", "fourth"):  # on both nodes, whichever is asked first
        engine, another = (RedisEngine(node.url, name) for node in nodes)
        await engine.open()
        await another.open()
        assert await claim(another) == []
        (one,) = await put(engine, new(idempotency_key="k", correlation_id="c"))
        await asyncio.wait_for(another.wait_for_work(["default"], BOUND_MS), BOUND_MS / 2000)
        (execution,) = await claim(another, lease_ms=LEASE_MS, mail=1)
        assert await another.settle_many([ending(execution)]) == [True]
        assert [record.id for record in await engine.wait_for_end([one], BOUND_MS)] == [one]
        await engine.close()
        await another.close()


def command(server, text):
    assert exchange(server.port, text.encode() + b"\r\n", 5) == b"+OK\r\n", text


async def test_a_user_who_may_not_ring_is_refused_at_the_start(private_redis):
    server = private_redis()
    command(server, "ACL SETUSER w on >pw ~netscript:* +@all -@dangerous")
    engine = RedisEngine(server.url.replace("//", "//w:pw@"), shown=server.url)
    with pytest.raises(EngineUnavailableError, match=r"the channels netscript:\*"):
        await engine.open()
    await engine.close()


async def test_a_right_that_is_lost_while_we_run_leaves_no_script_half_done(private_redis):
    server = private_redis()
    command(server, "ACL SETUSER w on >pw ~netscript:* &netscript:* +@all -@dangerous")
    engine = RedisEngine(server.url.replace("//", "//w:pw@"), shown=server.url)
    await engine.open()
    command(server, "ACL SETUSER w resetchannels")
    good, bad, waiting = await put(engine, new(), new(), new(delay_ms=1))
    claimed = await claim(engine, 2)
    assert [one.id for one in claimed] == [good, bad]
    settlements = [ending(claimed[0]), ending(claimed[1], outcomes.failed("boom"), attempts=3)]
    assert await engine.settle_many(settlements) == [True, True]
    async with asyncio.timeout(BOUND_MS / 1000):
        seen: set[str] = set()
        while seen != {bad, waiting}:
            seen.update(await claimed_ids(engine))
    await engine.cancel_many([bad])
    await engine.close()


async def until_ok(*nodes):
    async with asyncio.timeout(BOUND_MS / 1000):
        for node in nodes:
            while b"cluster_state:ok" not in exchange(node.port, b"CLUSTER INFO\r\n", 4096):
                await asyncio.sleep(0.05)


async def test_a_cluster_that_is_down_or_moves_the_queue_passes_as_an_error_of_the_engine(redis_cluster_node):
    node = redis_cluster_node()
    command(node, "CLUSTER ADDSLOTSRANGE 0 16383")
    await until_ok(node)
    engine = RedisEngine(node.url, "jobs")
    await engine.open()
    (one,) = await put(engine)
    command(node, "CLUSTER DELSLOTSRANGE 0 16383")
    for verb in (lambda: claim(engine), engine.depths, lambda: put(engine)):
        with pytest.raises(EngineError, match="its cluster is down"):
            await verb()
    await engine.close()
    command(node, "CLUSTER ADDSLOTSRANGE 0 16383")
    await until_ok(node)
    await engine.open()
    async with asyncio.timeout(BOUND_MS / 1000):
        while (got := await claimed_ids(engine)) == []:
            await asyncio.sleep(0.05)
    assert got == [one]
    await engine.close()


async def test_a_database_that_is_not_there_and_protected_mode_are_told_as_out_of_reach(private_redis):
    server = private_redis()
    with pytest.raises(EngineUnavailableError, match="out of range"):
        await RedisEngine(server.url.replace("/0", "/99")).open()

    async def deny(_reader, writer):
        writer.write(b"-DENIED Redis is running in protected mode\r\n")
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(deny, "127.0.0.1", 0) as denying:
        port = denying.sockets[0].getsockname()[1]
        with pytest.raises(EngineUnavailableError, match=str(port)):
            await RedisEngine(f"redis://127.0.0.1:{port}/0").open()


async def test_a_script_that_is_wrong_stays_a_fault_of_our_own(private_redis):
    engine = RedisEngine(private_redis().url, "jobs")
    await engine.open()
    with pytest.raises(ResponseError, match="user_script"):
        await engine._server.call("EVAL", "return redis.call('GET')", 0)
    with pytest.raises(EngineError, match="unknown command"):
        await engine._server.call("NOSUCH")
    await engine.close()
