"""The README names everything that there is, and its config blocks load."""

import re
from pathlib import Path

import pytest
import typer.main

from netscript_workers import config
from netscript_workers.catalog.codes import CODES as CATALOG_CODES
from netscript_workers.cli.app import build
from netscript_workers.config import definitions, settings
from netscript_workers.config.codes import CODES
from netscript_workers.config.permissions import PermissionTable
from netscript_workers.domain import wire

README = Path(__file__).parents[2] / "README.md"
TEXT = README.read_text()
MODELS = [
    settings.Settings,
    settings.ConnectionsTable,
    settings.LogTable,
    settings.MetricsTable,
    settings.ApiTable,
    definitions.GroupTable,
    definitions.ScalingTable,
    definitions.RetentionTable,
    definitions.JobTable,
    definitions.TaskTable,
    definitions.LimitsTable,
    PermissionTable,
]


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def tables():
    """Return the keys in the first column of every table with a default, in order."""
    found = re.findall(
        r"^\| key \| type \| default \| meaning \|\n\|[-|]+\|\n((?:\|.*\n)+)", TEXT, re.MULTILINE
    )
    return [[line.split("`")[1] for line in rows.splitlines()] for rows in found]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_setting_of_a_table_is_in_the_reference(model):
    keys = [field.alias or name for name, field in model.model_fields.items()]
    assert keys in tables()


def test_every_setting_says_what_it_means():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| [^|]* \| (.*) \|$", TEXT, re.MULTILINE)
    assert len(rows) >= sum(len(model.model_fields) for model in MODELS)
    assert not [key for key, meaning in rows if not meaning.strip()]


def test_every_command_is_listed():
    listed = set(re.findall(r"^\| `workers ([a-z ]+)` \|", TEXT, re.MULTILINE))
    there = set()
    for name, command in typer.main.get_command(build()).commands.items():
        there |= {f"{name} {child}" for child in getattr(command, "commands", {})} or {name}
    assert listed == there


def test_every_code_of_a_finding_is_listed_with_its_meaning():
    listed = dict(re.findall(r"^\| `([EW]\d{3})` \| (.*) \|$", TEXT, re.MULTILINE))
    assert listed == {**CODES, **CATALOG_CODES}


def test_every_key_of_the_documented_shapes_is_named(make_execution):
    record = wire.execution_record(make_execution())
    assert not [key for key in record if f"`{key}`" not in TEXT]


def test_the_config_blocks_load_without_an_error(tmp_path):
    toml = blocks("toml")
    assert toml
    for number, block in enumerate(toml):
        path = tmp_path / f"{number}.toml"
        path.write_text(block)
        loaded = config.load(config.LoadOptions(path=path, environ={}, cwd=tmp_path))
        assert loaded.problems == []


def test_the_python_blocks_can_be_compiled():
    for block in blocks("python"):
        compile(block, "README.md", "exec")


def test_links_and_files_named_are_there():
    for name in ("config.example.toml", ".github/CONTRIBUTING.md", ".github/decisions/"):
        assert f"`{name}`" in TEXT
        assert (README.parent / name).exists()
