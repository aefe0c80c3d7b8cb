"""`config.example.toml` holds every setting and validates; every code is listed once."""

import re
from pathlib import Path

import pytest

from netscript_workers import config
from netscript_workers.config.definitions import (
    GroupTable,
    JobTable,
    LimitsTable,
    RetentionTable,
    ScalingTable,
    TaskTable,
)
from netscript_workers.config.permissions import PermissionTable
from netscript_workers.config.settings import ApiTable, ConnectionsTable, LogTable, MetricsTable, Settings

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "config.example.toml"
TABLES = (
    Settings,
    ConnectionsTable,
    LogTable,
    MetricsTable,
    ApiTable,
    GroupTable,
    ScalingTable,
    RetentionTable,
    LimitsTable,
    PermissionTable,
    JobTable,
    TaskTable,
)


@pytest.mark.parametrize("table", TABLES)
def test_every_setting_is_in_the_example(table):
    text = EXAMPLE.read_text()
    for name, field in table.model_fields.items():
        key = field.alias or name
        assert re.search(rf"(^|[\s#{{,\[]){key}( = |\])", text, re.MULTILINE), f"{table.__name__}.{key}"


def test_the_example_validates_and_asks_for_nothing_that_is_not_there():
    loaded = config.load(config.LoadOptions(path=EXAMPLE, cwd=ROOT))
    assert loaded.problems == []
    assert config.unavailable(loaded.settings) == []
    assert config.hazards(loaded.settings, config.Subject(targets={})) == []


def test_the_example_calls_nothing_but_the_api_unavailable():
    missing = [line for line in EXAMPLE.read_text().splitlines() if "this version" in line]
    assert missing == ["# The HTTP API. Not available in this version."]


def test_the_example_shows_the_defaults():
    shown = config.load(config.LoadOptions(path=EXAMPLE, cwd=ROOT)).settings.model_dump(exclude={"groups"})
    assert shown == config.load(config.LoadOptions(cwd=ROOT)).settings.model_dump(exclude={"groups"})


def test_the_commented_out_job_and_task_are_right_too():
    lines = EXAMPLE.read_text().splitlines()
    begin = lines.index("# [[groups.jobs]]")
    live = [line.removeprefix("# ") for line in lines[begin:] if re.match(r"# (\w+ = |\[\[)", line)]
    text = "[[groups]]\ntopic = 'webhooks'\n" + "\n".join(live)
    import tomllib

    from netscript_workers.config.place import Place
    from netscript_workers.config.spelling import respell

    values = tomllib.loads(text)
    assert respell(Settings, values, Place).problems == []
    settings = Settings.model_validate(values)
    assert (settings.groups[0].jobs[0].max_retries, settings.tasks[0].limits.memory) == (3, 256 << 20)


def test_codes_are_well_formed_and_every_code_that_is_used_is_listed():
    from netscript_workers.catalog.codes import CODES as OF_CATALOG

    assert all(re.fullmatch(r"[EW]\d{3}", code) for code in config.CODES)
    assert not set(config.CODES) & set(OF_CATALOG)
    used = set()
    for file in (ROOT / "netscript_workers").rglob("*.py"):
        if file.name != "codes.py":
            used |= set(re.findall(r'"([EW]\d{3})"', file.read_text()))
    assert used <= set(config.CODES) | set(OF_CATALOG)
    unused = set(config.CODES) - used - {f"W{number}" for number in range(101, 112)}
    assert unused == set()


def test_naming_the_package_loads_no_pydantic():
    from tests.support.fresh import answer_of

    code = "import sys\nimport netscript_workers.config\nanswer('pydantic' in sys.modules)\n"
    assert answer_of(code) is False
    loads = (
        "import sys\nfrom netscript_workers import config\nconfig.load(config.LoadOptions())\n"
        "slow = ('pydantic_settings', 'rich', 'typer', 'asyncio')\n"
        "answer([module for module in slow if module in sys.modules])\n"
    )
    assert answer_of(loads) == []
