"""`membench new task NAME`: a folder that is a working task at once.

The files of `_template/` are copied with their placeholders filled in; their `.txt` keeps them
from being taken for modules of ours. What comes out loads its sample, scores it and passes its
tests, so that the work starts from something that runs. `docs/new-task.md` is the guide to it.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from membench.domain.errors import UsageError
from membench.tasks.registry import FOLDER, loaders

TEMPLATE = Path(__file__).parent / "_template"
SUFFIX = ".txt"
VERBATIM = "prompts"
"""Files below this folder are text themselves and keep their name."""

NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")


def new_task(name: str, parent: Path = FOLDER) -> list[Path]:
    """Make the folder of a new task.

    Args:
        name: Its name: lower-case letters, digits and underscores.
        parent: Where the folder goes: `membench/tasks` of a checkout, or a project of one's own
            that names the class in an entry point of group `membench.tasks`.

    Returns:
        The files that were written.

    Raises:
        UsageError: The name does not do, or is taken.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' cannot be a task's name",
            "Use lower-case letters, digits and underscores, a letter first: 'my_task'.",
        )
    folder = parent / name
    if name in loaders() or folder.exists():
        raise UsageError(f"there is a task or folder '{name}' already", "Choose another name.")
    return [write(path, folder, values_for(name)) for path in template_files()]


def template_files() -> list[Path]:
    """The files of the template."""
    return sorted(path for path in TEMPLATE.rglob("*") if path.suffix == SUFFIX)


def values_for(name: str) -> dict[str, str]:
    """What the placeholders stand for."""
    words = [word for word in name.split("_") if word]
    answer = (TEMPLATE / VERBATIM / "answer.txt").read_bytes()
    return {
        "NAME": name,
        "CLASS": "".join(word.capitalize() for word in words),
        "TITLE": " ".join(word.capitalize() for word in words),
        "ANSWER_SHA256": hashlib.sha256(answer).hexdigest(),
    }


def write(path: Path, folder: Path, values: Mapping[str, str]) -> Path:
    """Write one file of the template into the new folder."""
    inside = path.relative_to(TEMPLATE)
    target = folder / (inside if inside.parts[0] == VERBATIM else inside.with_suffix(""))
    target.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text(encoding="utf-8")
    filled = re.sub(r"@([A-Z0-9_]+)@", lambda match: values[match[1]], text)
    target.write_text(filled, encoding="utf-8")
    return target
