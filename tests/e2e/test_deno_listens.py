"""A Deno program that listens to its own queue beside a daemon: each message goes to one of them."""

import subprocess
from collections import Counter

import pytest

from support.daemons import Project, until
from support.deno import argv, environment, run

pytestmark = [pytest.mark.e2e, pytest.mark.services, pytest.mark.timeout(150)]

CONFIG = 'runtime = "in-process"\n[connections]\ndeno_kv_path = "queue.db"\n'
NOTE = """
from netscript_workers import job


@job("note")
async def note(ctx, payload: dict):
    with open("notes", "a") as file:
        file.write(f"{payload['n']}\\n")
"""
LISTEN = """
const kv = await Deno.openKv(Deno.args[0]);
kv.listenQueue((message) => { Deno.writeTextFileSync(Deno.args[1], `${message.payload.n}\\n`, { append: true, create: true }); });
await kv.enqueue({ jobId: "note", payload: { n: -1 } });
"""
ENQUEUE = """
const kv = await Deno.openKv(Deno.args[0]);
for (let n = 0; n < 400; n++) await kv.enqueue({ jobId: "note", payload: { n } });
kv.close();
"""


def test_each_message_goes_to_the_daemon_or_to_denos_own_listener(deno, tmp_path):
    project = Project(tmp_path, CONFIG, note=NOTE)
    queue, heard, ran = str(tmp_path / "queue.db"), tmp_path / "heard", tmp_path / "notes"
    listener = tmp_path / "listener"
    listener.mkdir()
    program = subprocess.Popen(
        argv(deno, listener, LISTEN, queue, str(heard)),
        env=environment(tmp_path),
        stdin=subprocess.DEVNULL,
    )
    try:
        until(heard.exists, "the listener")
        with project.daemon():
            until(lambda: project.json("status")["workers"], "the daemon")

            def counted() -> Counter[str]:
                return Counter((heard.read_text() + (ran.read_text() if ran.exists() else "")).split())

            run(deno, tmp_path, ENQUEUE, queue)
            until(lambda: len(counted()) == 401, "every message")
            assert set(counted().values()) == {1}
            assert program.poll() is None
    finally:
        program.kill()
        program.wait()
