"""Entry points of installed packages, looked for once.

Each look reads the metadata of every installed distribution, which takes ten milliseconds and more,
and a run asks dozens of times. A search path that changed is looked through anew.
"""

from __future__ import annotations

import importlib.metadata
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import EntryPoint


def entry_points(group: str) -> Sequence[EntryPoint]:
    """The entry points of a group."""
    return tuple(point for point in _found(tuple(sys.path)) if point.group == group)


@cache
def _found(path: tuple[str, ...]) -> tuple[EntryPoint, ...]:
    groups = importlib.metadata.entry_points()
    return tuple(point for name in groups.groups for point in groups.select(group=name))
