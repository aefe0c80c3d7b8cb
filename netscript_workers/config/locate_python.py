"""Where each key of a Python config stands, as far as the call of `define_workers` is written out literally."""

import ast
from collections.abc import Sequence

from netscript_workers.config.place import KeyPath, Position

_DEFINE = "define_workers"
# Calls whose first argument is what they stand for, as far as positions go.
_TRANSPARENT = frozenset({"dict", "permissions"})
_LISTS = frozenset({"define_jobs", "list", "tuple"})


def locate_python(source: str, line: int | None = None) -> dict[KeyPath, Position]:
    """Return positions by key path, from the call of `define_workers` that begins at `line` (else from the last one).

    Keyword arguments, dict displays, lists and names bound to such at the top of the module are followed; of anything
    computed only the place of the expression is known.
    """
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and _name(node) == _DEFINE]
    if not calls:
        return {}
    chosen = next(
        (call for call in calls if line is not None and call.lineno <= line <= (call.end_lineno or 0)), None
    )
    walker = _Walker(tree)
    walker.call((), chosen or calls[-1])
    return walker.found


def _name(call: ast.Call) -> str:
    target = call.func
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


class _Walker:
    def __init__(self, tree: ast.Module) -> None:
        self.found: dict[KeyPath, Position] = {}
        self._bound: dict[str, ast.expr] = {}
        self._following: set[str] = set()
        for statement in tree.body:
            if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
                self._bound[statement.targets[0].id] = statement.value

    def call(self, path: KeyPath, call: ast.Call) -> None:
        self._note(path, call)
        for argument in call.args[:1]:
            self.expression(path, argument)
        for keyword in call.keywords:
            if keyword.arg is None:
                self.expression(path, keyword.value)
            else:
                self._note((*path, keyword.arg), keyword)
                self.expression((*path, keyword.arg), keyword.value)

    def expression(self, path: KeyPath, node: ast.expr) -> None:
        if isinstance(node, ast.Dict):
            self._dict(path, node)
        elif isinstance(node, (ast.List, ast.Tuple)):
            self._list(path, node.elts)
        elif isinstance(node, ast.Call) and _name(node) in _TRANSPARENT:
            self.call(path, node)
        elif isinstance(node, ast.Call) and _name(node) in _LISTS:
            only = node.args[0] if len(node.args) == 1 else None
            # One list stands for its elements, as define_jobs takes both.
            self._list(path, only.elts if isinstance(only, (ast.List, ast.Tuple)) else node.args)
        elif isinstance(node, ast.Name):
            self._follow(path, node.id)

    def _list(self, path: KeyPath, items: Sequence[ast.expr]) -> None:
        for index, item in enumerate(items):
            self._note((*path, index), item)
            self.expression((*path, index), item)

    def _dict(self, path: KeyPath, node: ast.Dict) -> None:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is None:
                self.expression(path, value)
            elif isinstance(key, ast.Constant) and isinstance(key.value, str):
                self._note((*path, key.value), key)
                self.expression((*path, key.value), value)

    def _follow(self, path: KeyPath, name: str) -> None:
        if name not in self._bound or name in self._following:
            return
        self._following.add(name)
        self.expression(path, self._bound[name])
        self._following.discard(name)

    def _note(self, path: KeyPath, node: ast.expr | ast.keyword) -> None:
        # An element that a name stands for is better placed where it is written out, so the last note wins.
        self.found[path] = Position(node.lineno, node.col_offset + 1)
