"""The plan: slots, memory, connections, and how long a target can go on."""

import pytest

from netscript_workers import config
from netscript_workers.config import costs
from netscript_workers.domain.permissions import Permissions
from netscript_workers.domain.target import Backoff, Concept, ConfinedMode, RunnerMode, Source, Target


def job(id, **fields):
    return Target(id=id, concept=Concept.JOB, source=Source.DIRECTORY, file="a.py", path="/a.py", **fields)


def plan_of(loaded, *targets):
    return config.make_plan(loaded, loaded.settings, {target.id: target for target in targets})


def test_the_originals_example_holds_twelve_slots(load):
    loaded = load('[[groups]]\ntopic = "webhooks"\nscaling = { concurrency = 10 }\n')
    plan = plan_of(loaded, job("a"), job("b", topic="webhooks"))
    assert plan.slots == 12
    assert "2 (default) + 10 (webhooks) = 12" in plan.rule
    assert plan.memory_bytes == costs.DAEMON_BYTES + 12 * costs.SLOT_BYTES[RunnerMode.WEB_WORKER]


def test_without_config_and_variable_the_pool_is_one(load):
    assert plan_of(load(None)).slots == 1
    assert plan_of(load(None, environ={"WORKERS_CONCURRENCY": "5"})).slots == 5
    assert plan_of(load(None, concurrency=6)).slots == 6
    assert plan_of(load("")).slots == 2


def test_memory_counts_the_dearest_slots_that_can_be_held_at_a_time(load):
    text = 'max_slot_memory_mb = 100\n[[groups]]\ntopic = "heavy"\nscaling = { concurrency = 3 }\n'
    loaded = load(text, environ={"WORKERS_CONCURRENCY": "4"})
    plan = plan_of(loaded, job("a", runtime=RunnerMode.IN_PROCESS), job("b", topic="heavy"))
    cheap = costs.SLOT_BYTES[RunnerMode.IN_PROCESS]
    assert plan.memory_bytes == costs.DAEMON_BYTES + 3 * (100 << 20) + cheap


def test_memory_counts_a_process_for_each_set_of_variables_that_jobs_with_permissions_may_see(load):
    grants = [Permissions(), Permissions(env=("A", "B")), Permissions(env=("B", "A")), Permissions(env=True)]
    jobs = [job(f"job-{number}", permissions=grant) for number, grant in enumerate(grants)]
    plan = plan_of(load(""), job("free"), *jobs)
    assert plan.daemon_bytes == costs.DAEMON_BYTES + 3 * costs.SOURCE_BYTES
    assert plan.memory_bytes == plan.daemon_bytes + 2 * costs.SLOT_BYTES[ConfinedMode.CONFINED]


def test_the_worst_case_adds_every_timeout_and_every_delay(load):
    target = job("a", timeout=1_000, max_retries=3, retry_delay=100, backoff=Backoff.EXPONENTIAL)
    (line,) = plan_of(load(""), target).targets
    assert (line.attempts, line.slot_time_ms, line.worst_case_ms) == (4, 4_000, 4_000 + 100 + 200 + 400)


def test_the_connections_are_those_to_the_queues_file(load, tmp_path):
    assert plan_of(load("")).connections == {str(tmp_path / "workers" / "queue.sqlite3"): 2}


@pytest.mark.parametrize(
    ("text", "archive", "why"),
    [
        ("", "own", "in the queue's own file"),
        ('queue_provider = "memory"', "own", "memory"),
        ('[connections]\ndatabase_url = "postgresql://u:hidden@h/x"', "postgres", "database_url is set"),
        ('[connections]\nredis_url = "redis://h"', "sqlite", "queue.sqlite3 of this host"),
        (
            '[connections]\nredis_url = "redis://h"\ndatabase_url = "postgresql://u:hidden@h/x"',
            "postgres",
            "database_url is set",
        ),
        (
            'queue_provider = "postgres"\n[connections]\ndatabase_url = "postgresql://u:hidden@h/x"',
            "own",
            "the queue's own database",
        ),
        ('[connections]\namqp_url = "amqp://h"', "own", "queue.sqlite3"),
        ('[connections]\namqp_url = "amqp://h"\nredis_url = "redis://h"', "sqlite", "queue.sqlite3"),
        (
            '[connections]\namqp_url = "amqp://h"\ndatabase_url = "postgresql://u:hidden@h/x"',
            "own",
            "beside the live records, in PostgreSQL",
        ),
    ],
)
def test_the_plan_says_where_the_archive_is(load, text, archive, why):
    plan = plan_of(load(text))
    assert plan.archive == archive
    assert why in plan.archive_why
    assert "hidden" not in plan.archive_why


def test_only_served_topics_are_planned(load):
    loaded = load('[[groups]]\ntopic = "mail"\nscaling = { concurrency = 3 }\n', topics=("mail",))
    plan = plan_of(loaded, job("a"), job("b", topic="mail"))
    assert plan.slots == 3
    assert [line.id for line in plan.targets] == ["b"]
