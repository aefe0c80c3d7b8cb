"""Loading: read the layers, lay them over one another, validate, and remember who won."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from netscript_workers.config import source
from netscript_workers.config.environment import Assignment, read_environment
from netscript_workers.config.findings import Finding, findings, nearest_place
from netscript_workers.config.nameless import Nameless
from netscript_workers.config.options import Loaded, LoadOptions, OriginKind
from netscript_workers.config.origins import in_words, trace
from netscript_workers.config.place import KeyPath, PlacedDict
from netscript_workers.config.pruning import assign, copied, prune, value_at
from netscript_workers.config.rules import broken_rules
from netscript_workers.config.settings import Settings
from netscript_workers.config.spelling import respell

_ROUNDS: Final = 20  # each round takes wrong keys out; a tree is clean long before

Context = Mapping[str, Any]
Report = Callable[[Finding], None]


def load(options: LoadOptions) -> Loaded:
    """Load the settings that `options` lead to. Never raises for what a user wrote: it is all among the problems."""
    file, problems = source.find_file(options)
    document = source.read(file) if file and not problems else source.empty(file)
    problems = [*problems, *document.problems]
    spelled = respell(Settings, document.values, document.locate)
    problems += spelled.problems
    base = file.parent if file else options.cwd
    context: Context = {"base": base.absolute(), "environ": options.environ}

    wrong: set[KeyPath] = set()
    nameless = Nameless(spelled.tree)

    def in_file(finding: Finding) -> None:
        wrong.add(finding.path)
        nameless.note(finding.path)
        problems.append(finding.at(nearest_place(finding.path, spelled.places, document.locate(()))))

    _validate(spelled.tree, context, in_file)
    variables = read_environment(options.environ, options.cwd)
    problems += variables.problems
    tree = copied(spelled.tree)
    overlay: dict[KeyPath, tuple[OriginKind, str]] = {}
    layers = (
        (OriginKind.ENVIRONMENT, "E005", variables.assignments),
        (OriginKind.COMMAND_LINE, "E006", _command_line(options)),
    )
    for kind, code, assignments in layers:
        refused = _refused(tree, assignments, context)
        for assignment in assignments:
            finding = refused.get(assignment.path)
            if finding is not None:
                problems.append(finding.said_by(code, assignment.name))
                continue
            assign(tree, assignment.path, assignment.value)
            overlay[assignment.path] = (kind, assignment.name)
    settings = _validate(tree, context, _already_told)
    settings.remember(options.environ, spelled.places)
    problems += broken_rules(settings)
    written = {path: place for path, place in spelled.places.items() if path not in wrong}
    origins = trace(settings, written, overlay, lambda path: value_at(spelled.tree, path))
    settings.credit(in_words(settings, origins))
    return Loaded(
        options=options,
        file=file,
        problems=problems,
        partial=settings,
        origins=origins,
        places=spelled.places,
        worker_id=options.environ.get("WORKER_ID") or None,
        nameless=nameless.found(wrong),
    )


def _already_told(_: Finding) -> None:
    """Say nothing: each layer has been looked at by itself."""


def _command_line(options: LoadOptions) -> list[Assignment]:
    given = (
        (("concurrency",), options.concurrency, "--concurrency"),
        (("runtime",), options.runtime, "--runtime"),
        (("queue_provider",), options.provider, "--provider"),
        (("log", "level"), options.log_level, "--log-level"),
        (("log", "format"), options.log_format, "--log-format"),
    )
    return [Assignment(path, value, name) for path, value, name in given if value is not None]


def _validate(tree: PlacedDict, context: Context, report: Report) -> Settings:
    """Validate `tree`, report what is wrong, and return the settings that are left without it.

    What is wrong is taken out of `tree` itself. Only the first look is reported: what shows up when a wrong key is gone
    (another key that needs it) is no mistake of the user's.
    """
    for round_number in range(_ROUNDS):
        try:
            return Settings.model_validate(tree, context=dict(context))
        except ValidationError as error:
            found = findings(error)
        if round_number == 0:
            for finding in found:
                report(finding)
        prune(tree, (_to_take_out(finding) for finding in found))
    tree.clear()
    return Settings.model_validate(tree, context=dict(context))


def _to_take_out(finding: Finding) -> KeyPath:
    """A table that lacks a required key goes as a whole; else only the wrong key does."""
    return finding.path[:-1] if finding.missing and len(finding.path) > 1 else finding.path


def _refused(tree: PlacedDict, assignments: Iterable[Assignment], context: Context) -> dict[KeyPath, Finding]:
    """Try `assignments` on a copy of `tree`; return what is wrong with each wrong one."""
    trial = copied(tree)
    for assignment in assignments:
        assign(trial, assignment.path, assignment.value)
    try:
        Settings.model_validate(trial, context=dict(context))
    except ValidationError as error:
        return {finding.path: finding for finding in findings(error)}
    return {}
