"""Modules that adapters used to import, and what they are called now.

An adapter of somebody else outlives our layout. Its sources are read before they are imported, so
that one message names file, line and new module, in process and before a worker is started alike.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from membench.domain.errors import DataError

DOMAIN = "membench.domain.case, membench.domain.system or membench.domain.answer"
MOVED = {
    "membench.harness.model": DOMAIN,
    "membench.harness.errors": "membench.domain.errors",
    "membench.adapters.worker": "membench.adapters.environment.worker",
    "membench.adapters.environments": "membench.adapters.environment.environments",
    "membench.adapters.proxy": "membench.adapters.environment.worker_client",
    "membench.adapters.manifest": "membench.adapters.card_file",
    "membench.adapters.parts.retrieval": "membench.adapters.parts.unit_memory",
}
"""Old module -> the new one, or those that its names were divided between."""


def check_imports(folder: Path) -> None:
    """Refuse an adapter that imports a module under a name it no longer has.

    What cannot be parsed is left to the import, which says why.

    Raises:
        DataError: Names the file, the line, the old module and the new one.
    """
    for file in sorted(folder.rglob("*.py")):
        try:
            tree = ast.parse(file.read_bytes())
        except (OSError, SyntaxError, ValueError):
            continue
        for line, module in imported(tree):
            if now := new_name(module):
                raise DataError(file, f"line {line}", f"{module} is now {now}")


def imported(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Every module that a file imports, with the line; `from a import b` may mean `a.b`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.lineno, node.module
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def new_name(module: str) -> str:
    """What a module is called now; empty if it did not move."""
    for old, new in MOVED.items():
        if module == old:
            return new
        if module.startswith(f"{old}.") and "," not in new:
            return new + module.removeprefix(old)
    return ""
