"""A TypeScript program enqueues with `kv.enqueue`, a daemon runs it, and what the program keeps in `kv` is as it was."""

import pytest

from support.daemons import Project, until
from support.deno import run

pytestmark = [pytest.mark.e2e, pytest.mark.services, pytest.mark.timeout(150)]

CONFIG = """
runtime = "in-process"
concurrency = 1
[connections]
deno_kv_path = "queue.db"
[[jobs]]
id = "note"
entrypoint = "note.py"
priority = 40
[[jobs]]
id = "break"
entrypoint = "breaking.py"
max_retries = 1
retry_delay = 0
"""
NOTE = """
from netscript_workers import job


@job("note")
async def note(ctx, payload: dict):
    with open("notes", "a") as file:
        file.write(payload["name"] + "\\n")
    return {"correlation": ctx.correlation_id, "trace": ctx.traceparent, "when": payload.get("when")}
"""
BREAKING = """
from netscript_workers import job


@job("break")
async def broken(ctx):
    raise RuntimeError("no luck")
"""
ENQUEUE = """
const kv = await Deno.openKv(Deno.args[0]);
await kv.set(["mine", 1], { text: "hallo", when: new Date(0), big: 7n, map: new Map([["a", 1]]) });
const note = (name, more = {}) => ({ jobId: "note", payload: { name, when: new Date(0) }, ...more });
await kv.enqueue(note("later"), { delay: 3_600_000 });
await kv.enqueue(note("soon", { priority: 0 }), { delay: 1_500 });
await kv.enqueue(note("low", { priority: 10, correlationId: "c1" }));
await kv.enqueue(note("plain"));
await kv.enqueue(note("high", { priority: 90 }));
for (let i = 0; i < 3; i++) await kv.enqueue(note("once", { priority: 5, idempotencyKey: "k" }));
const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
await kv.enqueue({ __envelope_version: 1, headers: { traceparent: trace }, messageId: "m", enqueuedAt: "t", deliveryCount: 0,
  payload: note("wrapped", { priority: 1 }) });
const keys = { keysIfUndelivered: [["undelivered", 1]] };
await kv.atomic().set(["mine", 2], "with a job").enqueue({ jobId: "break" }, keys).commit();
await kv.enqueue({ jobId: "unknown-one", payload: {} }, { keysIfUndelivered: [["undelivered", 2]] });
await kv.enqueue({ jobId: "note", payload: { name: "odd", set: new Set() } }, { keysIfUndelivered: [["undelivered", 3]] });
await kv.enqueue("no job");
kv.close();
"""
READ = """
const kv = await Deno.openKv(Deno.args[0]);
const mine = (await kv.get(["mine", 1])).value;
const undelivered = [];
for await (const entry of kv.list({ prefix: ["undelivered"] })) undelivered.push([entry.key[1], entry.value.jobId]);
const first = await kv.get(["undelivered", 1]);
const taken = await kv.atomic().check(first).delete(first.key).commit();
kv.close();
console.log(JSON.stringify({ text: mine.text, when: mine.when.getTime(), big: Number(mine.big), map: [...mine.map],
  undelivered, taken: taken.ok }));
"""


def test_a_typescript_program_enqueues_and_a_daemon_runs_it(deno, tmp_path):
    project = Project(tmp_path, CONFIG, note=NOTE, breaking=BREAKING)
    queue = str(tmp_path / "queue.db")
    run(deno, tmp_path, ENQUEUE, queue)
    with project.daemon() as daemon:
        notes = tmp_path / "notes"
        until(lambda: notes.exists() and "soon" in notes.read_text(), "the delayed run")
        until(lambda: len(project.json("dead", "list")) == 4, "the dead letters")
        assert notes.read_text().split() == ["high", "plain", "low", "once", "wrapped", "soon"]
        records = project.json("executions", "--limit", "50", "--job", "note")
        by_name = {record["payload"]["name"]: record for record in records}
        assert len(by_name) == len(records) == 7
        assert by_name["later"]["status"] == "pending"
        assert by_name["low"]["result"]["correlation"] == by_name["low"]["correlationId"] == "c1"
        assert by_name["plain"]["priority"] == 40
        assert by_name["plain"]["maxAttempts"] == 4
        assert by_name["plain"]["triggeredBy"] == "queue"
        assert by_name["plain"]["result"]["when"] == "1970-01-01T00:00:00.000Z"
        assert by_name["wrapped"]["result"]["trace"].startswith("00-4bf92f3577b34da6a3ce929d0e0e4736-")
        dead = project.json("dead", "list")
        ran = {letter["execution"]["jobId"]: letter for letter in dead if letter["execution"]}
        assert set(ran) == {"break", "unknown-one"}
        assert ran["break"]["execution"]["attempt"] == 2
        assert "unknown-one" in ran["unknown-one"]["reason"]
        garbage = sorted(letter["reason"] for letter in dead if letter["execution"] is None)
        assert garbage[0].startswith("payload.set is a Set")
        assert garbage[1].startswith("the message is text")
        assert run(deno, tmp_path, READ, queue) == {
            "text": "hallo",
            "when": 0,
            "big": 7,
            "map": [["a", 1]],
            "undelivered": [[1, "break"], [2, "unknown-one"], [3, "note"]],
            "taken": True,
        }
        assert daemon.poll() is None


def test_what_deno_enqueued_before_is_drained(deno, tmp_path):
    project = Project(tmp_path, CONFIG, note=NOTE, breaking=BREAKING)
    run(
        deno,
        tmp_path,
        """
        const kv = await Deno.openKv(Deno.args[0]);
        for (let i = 0; i < 300; i++) await kv.enqueue({ jobId: "note", payload: { name: `n${i}` } });
        kv.close();
        """,
        str(tmp_path / "queue.db"),
    )
    daemon = project.start("--drain")
    assert daemon.wait(60) == 0, project.log()
    assert (tmp_path / "notes").read_text().split() == [f"n{number}" for number in range(300)]
