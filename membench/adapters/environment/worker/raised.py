"""What a system raised, in words: type, text, and where in its own folder it was."""

from __future__ import annotations

import traceback
from pathlib import Path

OUR_FAULTS = ("membench.domain.errors", "membench.adapters.environment.worker.service")
"""Where the faults are defined that an adapter may raise; not every worker can import the first."""
MARK = "system.toml"
"""What a system's folder is known by, wherever it was copied or linked to."""
DEEPEST = 4
"""Folders between a module of a system and its folder that are looked through."""
CHARACTERS = 400


def described(error: BaseException) -> str:
    """Type and text of an exception, cut short, and file and line in the system's own folder.

    The file is named from that folder on: no path of this machine, and none of its sandbox.
    """
    place = location(error)
    text = f"{type(error).__name__}: {error}"[:CHARACTERS]
    return f"{text} ({place})" if place else text


def location(error: BaseException) -> str:
    """`file:line` of the innermost call in a system's folder; empty where none was reached.

    A fault that was raised on purpose says enough by itself.
    """
    if is_ours(error):
        return ""
    for frame, line in reversed(list(traceback.walk_tb(error.__traceback__))):
        if name := name_in_folder(Path(frame.f_code.co_filename)):
            return f"{name}:{line}"
    return ""


def is_ours(error: BaseException) -> bool:
    """Whether an exception is a fault of our vocabulary."""
    return type(error).__module__ in OUR_FAULTS and hasattr(error, "reason")


def name_in_folder(file: Path) -> str:
    """The name of a file from the system's folder on that it lies in; empty if in none."""
    for folder in list(file.parents)[:DEEPEST]:
        try:
            if (folder / MARK).is_file():
                return str(file.relative_to(folder))
        except OSError:
            return ""
    return ""
