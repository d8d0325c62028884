"""Readers by name."""

from __future__ import annotations

from membench.readers.base import LocalReader

LOCAL_READERS = ("extractive", "refuse")
"""Readers that need no model."""


def local_reader(name: str) -> LocalReader:
    """Make a local reader by name."""
    if name == "refuse":
        from membench.readers.refuse import RefuseReader

        return RefuseReader()
    from membench.readers.extractive.reader import ExtractiveReader

    return ExtractiveReader()
