"""Which tasks there are: folders here, entry points elsewhere.

A task is a folder under `membench/tasks` with a `task.py` that exports `TASK`, or an entry point
of group `membench.tasks` that names a `Task` subclass. Adding one is adding a folder; nothing
central is edited. Looking one up imports that one only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from membench.domain.errors import UnknownName, UsageError
from membench.tasks.base import Task
from membench.tasks.card import TaskCard

GROUP = "membench.tasks"
FOLDER = Path(__file__).parent

Loader = Callable[[], object]


def list_tasks() -> dict[str, TaskCard]:
    """The card of every task, by name in alphabetical order."""
    return {name: get_task(name).card for name in sorted(loaders())}


def get_task(name: str) -> type[Task[Any]]:
    """The class of a task.

    Raises:
        UnknownName: No such task; suggests the nearest.
        UsageError: What is registered under the name is not a task.
    """
    known = loaders()
    if name not in known:
        raise UnknownName("task", name, known)
    found = known[name]()
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(
            f"task '{name}' is registered as {found!r}, which is no Task subclass",
            f"Let its `task.py` export TASK, or its entry point in group {GROUP} name the class.",
        )
    return found


def loaders() -> Mapping[str, Loader]:
    """How to import each task, without importing any. Folders win over entry points."""
    installed = {point.name: point.load for point in entry_points(group=GROUP)}
    return installed | {name: folder_loader(name) for name in folder_names(FOLDER)}


def folder_names(folder: Path) -> list[str]:
    """Names of the sub-folders that hold a `task.py`."""
    return sorted(path.parent.name for path in folder.glob("*/task.py"))


def folder_loader(name: str) -> Loader:
    """Import the `TASK` of a folder of ours when called."""
    return lambda: import_module(f"membench.tasks.{name}.task").TASK
