"""What `netscript_workers` hands on, and when."""

import ast
import subprocess
import sys

import pytest

import netscript_workers


def test_every_promised_name_is_there():
    for name in netscript_workers.__all__:
        assert getattr(netscript_workers, name) is not None
    assert set(netscript_workers.__all__) <= set(dir(netscript_workers))
    assert set(netscript_workers._HOMES) == set(netscript_workers.__all__)


def test_type_checkers_see_the_same_names():
    with open(netscript_workers.__file__) as file:
        tree = ast.parse(file.read())
    seen = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("netscript_workers.")
        for alias in node.names
    }
    assert seen == set(netscript_workers.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = netscript_workers.nonsense


def test_importing_the_package_loads_nothing_of_weight():
    program = "import netscript_workers, sys; print([m for m in ('msgspec', 'asyncio', 'pydantic') if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
