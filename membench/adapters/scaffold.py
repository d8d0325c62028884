"""`membench new system NAME`: a folder that holds a working system, to be changed from there."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from string import Template

from membench.adapters.registry import list_systems
from membench.domain.errors import UsageError

TEMPLATES = Path(__file__).parent / "templates" / "system"
NAME = re.compile(r"[a-z][a-z0-9_-]*")


def new_system(name: str, parent: Path = Path()) -> Path:
    """Write the folder of a new system; it conforms at once.

    Args:
        name: Lower-case letters, digits, hyphens and underscores.
        parent: Where the folder is made.

    Returns:
        The folder: `parent/name`, with underscores for hyphens so that it can be imported.

    Raises:
        UsageError: A bad or taken name, or a folder that is there or cannot be written.
    """
    if not NAME.fullmatch(name):
        raise UsageError(
            f"'{name}' is not a name for a system",
            "Use lower-case letters, digits, hyphens and underscores, a letter first.",
        )
    if name in list_systems():
        raise UsageError(f"there is a system '{name}' already", "Choose another name.")
    folder = parent / name.replace("-", "_")
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise UsageError(f"{folder} exists", "Choose another name, or remove it.") from None
    except OSError as error:
        raise UsageError(f"{folder} cannot be made: {error.strerror}") from None
    _write(folder, name)
    return folder


def _write(folder: Path, name: str) -> None:
    """Fill the folder, or leave nothing behind."""
    parts = re.split(r"[-_]+", name)
    fields = {
        "name": name,
        "title": " ".join(parts).capitalize(),
        "class_name": "".join(part.capitalize() for part in parts),
        "folder_name": folder.name,
    }
    try:
        for template in sorted(TEMPLATES.glob("*.txt")):
            text = Template(template.read_text(encoding="utf-8")).substitute(fields)
            (folder / template.stem).write_text(text, encoding="utf-8")
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        raise UsageError(f"{folder} cannot be written: {error.strerror}") from None
