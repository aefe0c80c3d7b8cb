"""What a reload says of itself: what was applied, what waits for a restart, and never a secret."""

from pathlib import Path

from netscript_workers import config
from netscript_workers.domain.pool import Lane, Pool
from netscript_workers.domain.target import Concept, Source, Target
from netscript_workers.wiring import changes


def settings(folder: Path, text: str) -> config.Settings:
    (folder / "config.toml").write_text(text)
    loaded = config.load(config.LoadOptions(cwd=folder))
    assert loaded.settings is not None, loaded.problems
    return loaded.settings


def test_what_waits_for_a_restart_is_named_masked_and_keeps_its_value(tmp_path: Path):
    old = settings(tmp_path, '[connections]\nredis_url = "redis://me:one@host/0"\n')
    new = settings(
        tmp_path,
        'queue_name = "new"\nconcurrency = 9\n[connections]\nredis_url = "redis://me:two@host/0"\n',
    )
    assert changes.fixed_changes(old, new) == [
        "queue_name = new",
        "connections.redis_url = redis://***@host/0",
    ]
    taken = changes.with_fixed(old, new)
    assert (taken.queue_name, taken.concurrency) == ("jobs", 9)
    assert taken.connections.redis_url == old.connections.redis_url
    assert changes.setting_changes(old, taken) == ["concurrency = 9"]
    assert changes.fixed_changes(taken, new) == changes.fixed_changes(old, new)  # said again each time


def test_nested_settings_are_named_by_their_path(tmp_path: Path):
    old = settings(tmp_path, "")
    new = settings(tmp_path, 'sandbox = "off"\nmax_jobs_per_slot = 3\n[log]\nlevel = "debug"\n')
    said = ["max_jobs_per_slot = 3", "sandbox = off", "log.level = debug"]
    assert changes.setting_changes(old, new) == said
    assert changes.setting_changes(new, old)[0] == "max_jobs_per_slot = unset"


def test_targets_and_lanes_are_told_in_one_line_each():
    def target(id: str, timeout: int = 1) -> Target:
        return Target(id=id, concept=Concept.JOB, source=Source.CONFIG, file="", path="", timeout=timeout)

    old = {id: target(id) for id in ("a", "b", "c")}
    new = {"b": target("b", 2), "c": target("c"), "d": target("d")}
    assert changes.target_changes(old, new) == "targets added: d; changed: b; removed: a"
    many = {f"t{number:02}": target(f"t{number:02}") for number in range(25)}
    assert "t19 and 5 more; changed: none" in changes.target_changes({}, many)
    one, two = (Pool(size, (Lane(("a", "b"), size),), "") for size in (1, 2))
    assert changes.pool_change(one, two) == "lanes a+b (1); 1 slots → a+b (2); 2 slots"
    assert changes.pool_change(one, one) == "lanes as before (a+b (1); 1 slots)"
