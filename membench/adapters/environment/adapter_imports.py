"""What an adapter imports of others, read from its sources: nothing of the system runs for it.

A fork server imports it before any case. Modules of the system's own folder or package are left
out: code of the system itself runs only in the worker of a case.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path

from membench.adapters.card import SystemCard
from membench.adapters.environment.worker_folder import import_name

OWN = "membench.adapters.system"


def imports_of(card: SystemCard) -> list[tuple[str, list[str]]]:
    """Modules that are imported with the adapter, each with the names that are taken from it.

    Those are the imports of its modules, and those with which the constructor of the system
    begins. Others inside functions are left out: they may be of use in some configuration only, or
    want something to be set up before. What cannot be parsed is left to the import, which says why.
    """
    found: dict[str, list[str]] = {}
    entry, _, system = card.entry.partition(":")
    for node in _imports(card.folder, [entry], system):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found.setdefault(alias.name, [])
        elif node.module:
            found.setdefault(node.module, []).extend(alias.name for alias in node.names)
    own = _own_root(card)
    return [
        (module, names)
        for module, names in found.items()
        if not any(f"{module}.".startswith(f"{root}.") for root in own)
    ]


def _own_root(card: SystemCard) -> tuple[str, ...]:
    """What modules of the system itself are called: all of the package that it is a part of."""
    package = import_name(card)
    return (OWN, package if package.startswith("membench.") else package.partition(".")[0])


def _imports(
    folder: Path, modules: list[str], system: str
) -> Iterator[ast.Import | ast.ImportFrom]:
    """Absolute imports of modules in a folder, and of those that they import of it.

    Args:
        folder: Of the adapter.
        modules: Where to begin.
        system: The class whose constructor runs, in the first of them.
    """
    seen: set[str] = set()
    while modules:
        module = modules.pop()
        if module in seen:
            continue
        body = _parsed(folder.joinpath(*module.split(".")))
        constructor = () if seen else _constructor(body, system)
        seen.add(module)
        for node in (*_module_level(body), *_first_imports(constructor)):
            if isinstance(node, ast.ImportFrom) and node.level:
                modules += _of_folder(module, node)
            else:
                yield node


def _constructor(module: Sequence[ast.stmt], system: str) -> Sequence[ast.stmt]:
    """What the constructor of a class does; nothing where it has none of its own."""
    bodies = (n.body for n in module if isinstance(n, ast.ClassDef) and n.name == system)
    methods = (n for body in bodies for n in body if isinstance(n, ast.FunctionDef))
    return next((method.body for method in methods if method.name == "__init__"), ())


def _first_imports(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """The imports with which a function begins, after its docstring."""
    told = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    for node in body[1 if told else 0 :]:
        if not isinstance(node, ast.Import | ast.ImportFrom):
            return
        yield node


def _parsed(module: Path) -> Sequence[ast.stmt]:
    for file in (module.with_suffix(".py"), module / "__init__.py"):
        try:
            return ast.parse(file.read_bytes()).body
        except (OSError, SyntaxError, ValueError):
            continue
    return ()


def _of_folder(module: str, node: ast.ImportFrom) -> list[str]:
    """Modules that a relative import may mean; those that are none are not found."""
    above = module.split(".")[: -node.level]
    inside = [*above, node.module] if node.module else above
    return [".".join([*inside, *more]) for more in ([], *([a.name] for a in node.names))]


def _module_level(body: Sequence[ast.stmt]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Imports that run with the module: also in `if` and `try`, but not for type checkers alone."""
    for node in body:
        match node:
            case ast.Import() | ast.ImportFrom():
                yield node
            case ast.If(test=ast.Name("TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING")):
                yield from _module_level(node.orelse)
            case ast.If():
                yield from _module_level([*node.body, *node.orelse])
            case ast.Try():
                handlers = [inner for handler in node.handlers for inner in handler.body]
                yield from _module_level([*node.body, *handlers, *node.orelse, *node.finalbody])
