"""Rows of a benchmark's file whatever it is stored as: JSON, JSON Lines, Parquet or Arrow.

Parquet and Arrow are how the Hugging Face hub stores datasets, and what the library `datasets`
writes; they are read through it, streaming and without its cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from membench.domain.errors import DataError, UsageError
from membench.domain.labels import JsonObject
from membench.tasks.files.arrays import stream_array
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, reading

BUILDERS = {".parquet": "parquet", ".arrow": "arrow"}
"""What `datasets` calls the form of a file, by suffix."""


def stream_rows(source: Source) -> Iterator[Node]:
    """The rows of a source in order, each with its place; of several files, one after the other.

    Raises:
        UsageError: The file needs the library `datasets`, which is missing.
        DataError: The file cannot be read, or is not what its name says.
    """
    for path in (source.path, *source.more):
        yield from file_rows(Source(path, source.split))


def file_rows(source: Source) -> Iterator[Node]:
    """The rows of one file."""
    builder = BUILDERS.get(source.path.suffix)
    if builder is not None:
        rows: Iterator[Any] = table_rows(source.path, builder)
    elif ".jsonl" in source.path.suffixes:
        yield from json_lines(source.path)
        return
    else:
        rows = stream_array(source)
    for index, value in enumerate(rows):
        yield Node(value, source.path, f"[{index}]")


def table_rows(path: Path, builder: str) -> Iterator[JsonObject]:
    """The rows of a Parquet or Arrow file."""
    try:
        import datasets
    except ImportError:
        remedy = "Install the extra: pip install 'membench[data]'"
        raise UsageError(f"{path} needs the library 'datasets'", remedy) from None
    with reading(path), path.open("rb"):
        pass
    try:
        yield from datasets.load_dataset(
            builder, data_files=str(path.resolve()), split="train", streaming=True
        )
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        problem = f"not a readable {builder} file ({first_line(error)})"
        raise DataError(path, "", problem, "Fetch the file again.") from error


def first_line(error: Exception) -> str:
    """The first line of a library's complaint, cut short."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]
