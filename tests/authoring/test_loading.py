"""Importing job modules by path, and finding the handlers in them."""

import importlib
import os
import py_compile
import sys
import threading
from pathlib import Path

import pytest

from netscript_workers.authoring.loading import (
    HandlerRef,
    forget_modules,
    handlers_in,
    load_handler,
    load_module,
    module_name,
)
from netscript_workers.errors import DefinitionError, ModuleLoadError

JOB = """
from netscript_workers import job

@job("first")
async def one(ctx): return 1

@job("second", timeout="2s")
def two(ctx, payload: dict): return 2
"""


def ids(modules, name, text):
    path = modules.write(name, text)
    return [handler.target_id for handler in handlers_in(load_module(path, str(modules.root)), path)]


def load_error(modules, text, name="broken.py"):
    path = modules.write(name, text)
    with pytest.raises(ModuleLoadError) as caught:
        load_module(path, str(modules.root))
    return caught.value


def test_every_job_of_a_module_is_found_in_order(modules):
    assert ids(modules, "a.py", JOB) == ["first", "second"]


def test_a_module_is_imported_once(modules):
    path = modules.write("once.py", "import sys\nsys.loaded_once = getattr(sys, 'loaded_once', 0) + 1\n")
    try:
        assert load_module(path, str(modules.root)) is load_module(path, str(modules.root))
        assert sys.loaded_once == 1
    finally:
        del sys.loaded_once


def test_two_files_of_one_name_do_not_meet(modules):
    a, b = modules.write("a/same.py", "N = 1"), modules.write("b/same.py", "N = 2")
    assert load_module(a, str(modules.root)).N == 1
    assert load_module(b, str(modules.root)).N == 2


def test_siblings_can_be_imported_and_hide_nothing(modules):
    modules.write("_shared_by_test.py", "VALUE = 5")
    modules.write("email.py", "raise RuntimeError('this is not the standard library')")
    path = modules.write(
        "user.py",
        "import email\nfrom _shared_by_test import VALUE\nassert hasattr(email, 'message_from_string')",
    )
    assert load_module(path, str(modules.root)).VALUE == 5


def test_a_job_that_a_module_imported_from_another_is_not_its_own(modules):
    modules.write("origin_of_test.py", JOB)
    text = "from origin_of_test import one\nfrom netscript_workers import job\n@job('mine')\ndef mine(ctx): ...\n"
    assert ids(modules, "user.py", text) == ["mine"]


@pytest.mark.parametrize("name", ["default", "handler"])
def test_else_a_conventional_name_counts_under_the_stem(modules, name):
    assert ids(modules, "process_Payment.py", f"async def {name}(ctx): ...") == ["process-payment"]


def test_default_comes_before_handler(modules):
    path = modules.write("x.py", "def handler(ctx): return 'h'\ndef default(ctx): return 'd'\n")
    (handler,) = handlers_in(load_module(path, str(modules.root)), path)
    assert handler.function(None) == "d"


def test_define_job_handler_gives_options_to_the_stem(modules):
    text = "from netscript_workers import define_job_handler\ndefault = define_job_handler(lambda ctx: 1, timeout='3s')"
    path = modules.write("refund.py", text)
    (handler,) = handlers_in(load_module(path, str(modules.root)), path)
    assert (handler.target_id, handler.declaration.timeout) == ("refund", 3_000)


def test_an_alias_and_a_wrapper_are_one_job(modules):
    text = (
        JOB
        + """
import functools
alias = one

def wrapped(function):
    @functools.wraps(function)
    def wrapper(*args): return ["wrapped", function(*args)]
    return wrapper

two = wrapped(two)
"""
    )
    path = modules.write("a.py", text)
    handlers = handlers_in(load_module(path, str(modules.root)), path)
    assert sorted(handler.target_id for handler in handlers) == ["first", "second"]
    assert handlers[1].function(None, {}) == ["wrapped", 2]


def test_a_module_with_nothing_to_run_says_what_to_do(modules):
    path = modules.write("models.py", "class Model: ...")
    with pytest.raises(ModuleLoadError, match="exports nothing to run") as caught:
        handlers_in(load_module(path, str(modules.root)), path)
    assert "@job" in caught.value.hint


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("import sys\nsys.exit(3)", "calls sys.exit(3)", 2),
        ("x = 1\nraise ValueError('at import')", "ValueError: at import", 2),
        ("def broken(:\n  pass", "SyntaxError", 1),
        ("import nowhere_to_be_found", "No module named 'nowhere_to_be_found'", 1),
        ("from netscript_workers import job\n\n@job('Bad Id')\ndef x(ctx): ...", "is no id", 3),
        ("class E(Exception):\n  def __str__(self): raise ValueError\nraise E", "whose str() raised", 3),
        ("raise BaseException('rude')", "rude", 1),
    ],
)
def test_a_module_that_cannot_be_imported_tells_why_and_where(modules, text, words, line):
    error = load_error(modules, text)
    assert words in str(error)
    assert error.line == line
    assert error.file is not None
    assert error.traceback in str(error)
    assert "loading.py" not in error.traceback


def test_a_failed_module_leaves_no_trace_and_is_tried_anew(modules):
    load_error(modules, "raise ValueError")
    path = modules.write("broken.py", "N = 1")
    assert load_module(path, str(modules.root)).N == 1


def test_a_fault_in_a_module_imported_by_the_module_is_shown_to_its_line(modules):
    modules.write("_deep_of_test.py", "raise LookupError('deep')")
    error = load_error(modules, "\nimport _deep_of_test")
    assert error.line == 2
    assert "_deep_of_test.py" in error.traceback


def test_what_a_module_prints_goes_to_stderr(modules, capfd):
    load_module(modules.write("loud.py", "print('hello')"), str(modules.root))
    out, err = capfd.readouterr()
    assert out == ""
    assert "hello" in err


def test_ctrl_c_during_an_import_is_not_swallowed(modules):
    path = modules.write("slow.py", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        load_module(path, str(modules.root))


def test_garbage_is_refused_as_a_module(modules):
    path = modules.root / "garbage.py"
    path.write_bytes(b"\x00\xff\xfe" * 100)
    with pytest.raises(ModuleLoadError, match="cannot be imported"):
        load_module(str(path), str(modules.root))


def test_a_missing_file_is_refused(modules):
    with pytest.raises(ModuleLoadError, match="cannot be imported"):
        load_module(str(modules.root / "none.py"), str(modules.root))


def test_a_link_out_of_the_directory_is_refused(modules, tmp_path):
    outside = tmp_path / "outside.py"
    outside.write_text("def handler(ctx): ...")
    os.symlink(outside, modules.root / "link.py")
    with pytest.raises(ModuleLoadError, match="leads out of"):
        load_module(str(modules.root / "link.py"), str(modules.root))


def test_a_handler_is_loaded_by_id_or_by_attribute(modules):
    path, root = modules.write("a.py", JOB + "\ndef plain(ctx): return 'p'\n"), str(modules.root)
    assert load_handler(HandlerRef("second", path), root).function(None, {}) == 2
    assert load_handler(HandlerRef("other-id", path, "plain"), root).function(None) == "p"
    renamed = load_handler(HandlerRef("renamed", path, "two"), root)
    assert (renamed.target_id, renamed.declaration.timeout) == ("renamed", 2_000)


def test_the_only_handler_of_a_module_may_have_another_id(modules):
    path = modules.write("only.py", "def handler(ctx): return 1")
    assert load_handler(HandlerRef("payments", path), str(modules.root)).target_id == "payments"


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        (("third", None), "has no handler for 'third', it has 'first', 'second'"),
        (("third", "nothing"), "does not exist"),
        (("third", "NUMBER"), "is not callable"),
    ],
)
def test_a_handler_that_is_not_there_is_told(modules, ref, words):
    path = modules.write("a.py", JOB + "\nNUMBER = 1\n")
    with pytest.raises(ModuleLoadError, match=words):
        load_handler(HandlerRef(ref[0], path, ref[1]), str(modules.root))


def test_a_stem_that_gives_no_id_is_told(modules):
    path = modules.write("ß.py", "def handler(ctx): ...")
    with pytest.raises(DefinitionError, match="no usable id"):
        handlers_in(load_module(path, str(modules.root)), path)


def test_forgotten_modules_are_read_again(modules):
    path = modules.write("again.py", "N = 1")
    load_module(path, str(modules.root))
    modules.write("again.py", "N = 22")
    forget_modules(str(modules.root))
    assert str(modules.root) not in sys.path
    assert module_name(path) not in sys.modules
    assert load_module(path, str(modules.root)).N == 22


def test_loading_from_a_thread_works(modules):
    path = modules.write("threaded.py", "N = 1")
    found = []
    thread = threading.Thread(target=lambda: found.append(load_module(path, str(modules.root)).N))
    thread.start()
    thread.join(10)
    assert found == [1]


def test_a_job_module_that_a_sibling_imports_runs_once(modules):
    first = modules.write("counted_first.py", "RUNS = []\nRUNS.append(1)\n")
    second = modules.write(
        "counted_second.py", "from counted_first import RUNS\nfrom counted_third import N\n"
    )
    third = modules.write("counted_third.py", "N = object()\n")
    root = str(modules.root)
    module = load_module(first, root)
    assert load_module(second, root).RUNS is module.RUNS
    assert load_module(third, root).N is load_module(second, root).N


def test_a_failed_module_is_not_left_under_its_plain_name(modules):
    load_error(modules, "raise ValueError", name="plain_name_of_test.py")
    assert "plain_name_of_test" not in sys.modules


def test_one_bad_handler_does_not_hide_the_others(modules):
    text = JOB + "\n@job('third')\ndef three(): ...\n\n@job('fourth')\ndef four(a, b, c): ...\n"
    path = modules.write("a.py", text)
    unusable: list[DefinitionError] = []
    handlers = handlers_in(load_module(path, str(modules.root)), path, unusable)
    assert [handler.target_id for handler in handlers] == ["first", "second"]
    assert [error.line for error in unusable] == [10, 13]


def test_a_module_changed_within_the_second_is_not_taken_from_cached_bytecode(modules):
    path = modules.write("quick.py", "N = 1")
    py_compile.compile(path)
    written = os.stat(path)
    modules.write("quick.py", "N = 2")
    os.utime(path, ns=(written.st_atime_ns, written.st_mtime_ns))
    assert load_module(path, str(modules.root)).N == 2


def test_installed_packages_below_the_directory_are_not_forgotten(modules, monkeypatch):
    package = modules.write(".venv/lib/site-packages/installed_for_a_test.py", "N = 1")
    monkeypatch.syspath_prepend(str(Path(package).parent))
    installed = importlib.import_module("installed_for_a_test")
    forget_modules(str(modules.root))
    assert sys.modules.pop("installed_for_a_test") is installed
