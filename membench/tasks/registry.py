"""Which tasks there are: folders here, entry points elsewhere, a path in place of a name.

A task is a folder under `membench/tasks` with a `task.py` that exports `TASK`, or an entry point
of group `membench.tasks` that names a `Task` subclass. Adding one is adding a folder; nothing
central is edited. Looking one up imports that one only. A path of a folder with a `task.py` is a
task under development; once it was looked up, its own name leads to it too in this process.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

from membench.domain.entry_points import entry_points
from membench.domain.errors import DataError, UnknownName, UsageError
from membench.tasks.base import AnyTask, Task
from membench.tasks.card import TaskCard

GROUP = "membench.tasks"
FOLDER = Path(__file__).parent
FILE = "task.py"
PREFIX = "_membench_task_"
"""How the packages that hold tasks under development begin."""

Loader = Callable[[], object]


def list_tasks() -> dict[str, TaskCard]:
    """The card of every task, by name in alphabetical order."""
    return {name: get_task(name).card for name in sorted(loaders())}


def get_task(name: str) -> type[AnyTask]:
    """The class of a task.

    Args:
        name: A known name, or the path of a folder that holds a task.py.

    Raises:
        UnknownName: No such task; suggests the nearest.
        UsageError: What is registered under the name is not a task.
        DataError: The folder at the path holds no task that can be imported.
    """
    known = loaders()
    if name in known:
        return _checked(name, known[name]())
    if name in _developed:
        return _developed[name]
    if "/" in name or (Path(name) / FILE).is_file() or names_own_file(name):
        return from_folder(Path(name).expanduser().resolve())
    raise UnknownName("task", name, [*known, *_developed])


def names_own_file(name: str) -> bool:
    """Whether a name ends like a file that users write themselves."""
    return "." in name and name.endswith(own_endings())


def own_endings() -> tuple[str, ...]:
    """How the files end that users write themselves."""
    return tuple(sorted({end for card in list_tasks().values() for end in card.own_files or ()}))


def task_of_file(path: str) -> str | None:
    """The task that reads files which users write themselves, if this is one; None for a name."""
    if not Path(path).is_file():
        return None
    cards = list_tasks().items()
    return next((name for name, card in cards if path.endswith(card.own_files or ("\0",))), None)


def _checked(name: str, found: object) -> type[AnyTask]:
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise UsageError(
            f"task '{name}' is registered as {found!r}, which is no Task subclass",
            f"Let its `task.py` export TASK, or its entry point in group {GROUP} name the class.",
        )
    return found


_developed: dict[str, type[AnyTask]] = {}
"""Tasks that were given by their folder, by their own names."""


def from_folder(folder: Path) -> type[AnyTask]:
    """The task in a folder under development, which its own name leads to from now on.

    Raises:
        DataError: There is none, it cannot be imported, or its name is another task's.
    """
    file = folder / FILE
    if not file.is_file():
        raise no_task_at(folder)
    if folder.parent == FOLDER:
        return get_task(folder.name)
    try:
        module = import_module(f"{_package_of(folder)}.{file.stem}")
    except Exception as error:
        raise DataError(file, "", f"cannot be imported: {type(error).__name__}: {error}") from error
    found = getattr(module, "TASK", None)
    if not (isinstance(found, type) and issubclass(found, Task)):
        raise DataError(file, "TASK", f"is {found!r}, which is no Task subclass")
    if found.card.name in loaders():
        raise DataError(file, "card", f"the name '{found.card.name}' is another task's")
    _developed[found.card.name] = found
    return found


def no_task_at(path: Path) -> DataError:
    """Why a path leads to no task: nothing is there, or something else."""
    ends = " or ".join(own_endings())
    ways = f"Name a folder with a {FILE} (`membench new task NAME` makes one), or a file of own "
    ways += f"questions, which ends in {ends}."
    if not path.exists():
        return DataError(path, "", "there is no such file or folder", ways)
    if path.is_file():
        return DataError(path, "", "is a file that no task reads", ways)
    return DataError(path, "", f"has no {FILE} in it", ways)


def folder_of(task: type[AnyTask]) -> Path | None:
    """Where a task under development lies; None for one that has a name everywhere."""
    return task.folder() if task.__module__.startswith(PREFIX) else None


def _package_of(folder: Path) -> str:
    """Make a bare folder importable as a package of its own name, once per process."""
    name = PREFIX + hashlib.blake2b(str(folder).encode(), digest_size=8).hexdigest()
    if name not in sys.modules:
        package = ModuleType(name, "A task under development.")
        package.__path__ = [str(folder)]
        sys.modules[name] = package
    return name


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
