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

    Function-level imports are left out, as they may be of use in some configuration only. What
    cannot be parsed is left to the import, which says why.
    """
    found: dict[str, list[str]] = {}
    for node in _imports(card.folder, [card.entry.partition(":")[0]]):
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


def _imports(folder: Path, modules: list[str]) -> Iterator[ast.Import | ast.ImportFrom]:
    """Absolute imports of modules in a folder, and of those that they import of it."""
    seen: set[str] = set()
    while modules:
        module = modules.pop()
        if module in seen:
            continue
        seen.add(module)
        for node in _module_level(_parsed(folder.joinpath(*module.split(".")))):
            if isinstance(node, ast.ImportFrom) and node.level:
                modules += _of_folder(module, node)
            else:
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
