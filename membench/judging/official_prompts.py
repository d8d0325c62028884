"""A benchmark's official judge prompts, from a path of the user's.

membench ships none of them. A task's card holds the SHA-256 of each official text; this module
looks for texts with these hashes in a file or folder: whole text files, and string constants of
Python files (which are parsed, never run).
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from pathlib import Path

from membench.domain.errors import UsageError
from membench.tasks.card import TaskCard

SUFFIXES = frozenset({".py", ".txt", ".md", ".prompt", ""})
LARGEST = 4 * 2**20


def official_prompts(card: TaskCard, path: Path) -> dict[str, str]:
    """The official prompt of every request kind that has one.

    Args:
        card: The task.
        path: A file or a folder (a clone of the benchmark's repository will do).

    Returns:
        Prompt texts by request kind.

    Raises:
        UsageError: The path does not exist, the task has no official prompts, or one of them is
            not there with the right hash.
    """
    wanted = {kind: judge.official_sha256 for kind, judge in card.judges.items()}
    wanted = {kind: sha for kind, sha in wanted.items() if sha}
    if not wanted:
        raise UsageError(f"--prompts: {card.name} has no official judge prompts", "Leave it out.")
    if not path.exists():
        raise UsageError(f"--prompts {path}: no such file or folder")
    found = _by_hash(path, frozenset(wanted.values()))
    missing = [kind for kind, sha in wanted.items() if sha not in found]
    if missing:
        raise UsageError(
            f"--prompts {path}: no text has the hash of the official prompt for "
            f"{', '.join(missing)}",
            f"{card.name} pins {', '.join(f'{kind} = {wanted[kind]}' for kind in missing)}.",
        )
    return {kind: found[sha] for kind, sha in wanted.items()}


def _by_hash(path: Path, wanted: frozenset[str]) -> dict[str, str]:
    """Texts below a path whose hash is wanted."""
    files = sorted(each for each in path.rglob("*") if each.is_file()) if path.is_dir() else [path]
    found: dict[str, str] = {}
    for file in files:
        for text in _texts(file):
            sha = hashlib.sha256(text.encode()).hexdigest()
            if sha in wanted:
                found[sha] = text
    return found


def _texts(file: Path) -> Iterator[str]:
    """What a file may hold a prompt as: its whole text, or string constants of Python code."""
    if file.suffix not in SUFFIXES or file.stat().st_size > LARGEST:
        return
    try:
        text = file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    yield text
    yield text.rstrip("\n")
    if file.suffix == ".py":
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError, RecursionError):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
