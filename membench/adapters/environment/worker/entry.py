"""Importing what `entry` in a system.toml names."""

from __future__ import annotations

import importlib
from typing import Any

from membench.adapters.environment.worker.raised import described


class EntryError(ImportError):
    """The adapter cannot be imported, or has not what `entry` names: no case can be played."""


def load_entry(package: str, entry: str) -> Any:
    """The class that `module:Class` names in the package of a system's folder.

    Raises:
        EntryError: Names file and entry, and line where the import failed.
    """
    module, _, name = entry.partition(":")
    file = f"{module.replace('.', '/')}.py"
    try:
        found = importlib.import_module(f"{package}.{module}")
    except ModuleNotFoundError as error:
        if error.name == f"{package}.{module}":
            raise EntryError(f"there is no {file}, which {quoted(entry)} names") from None
        raise EntryError(f"{file} cannot be imported: {described(error)}") from error
    except Exception as error:
        raise EntryError(f"{file} cannot be imported: {described(error)}") from error
    if not hasattr(found, name):
        raise EntryError(f"{file} has no '{name}', which {quoted(entry)} names")
    return getattr(found, name)


def quoted(entry: str) -> str:
    """The line of system.toml that is meant."""
    return f'`entry = "{entry}"` in system.toml'


def is_entry_error(detail: str) -> bool:
    """Whether a worker's report of what it raised is one of these."""
    return detail.startswith(f"{EntryError.__name__}: ")
