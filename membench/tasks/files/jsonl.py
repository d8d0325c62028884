"""Files with one JSON object per line, read one line at a time.

A line is held in memory as a whole, so its length is bounded: the longest published case
(HaluMem-Long) is about 6 MB, and a line above `LINE_LIMIT` is refused before it is read to its
end.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

import orjson

from membench.domain.errors import DataError
from membench.tasks.files.node import Node
from membench.tasks.files.source import open_json, reading

LINE_LIMIT = 32 * 2**20
"""Bytes a line may have."""


def json_lines(path: Path, limit: int = LINE_LIMIT) -> Iterator[Node]:
    """The objects of a JSON Lines file in file order; blank lines are skipped.

    Raises:
        DataError: The file cannot be read or decompressed, a line is too long, not UTF-8, not
            JSON (NaN and Infinity are not), or not an object.
    """
    for place, line in numbered_lines(path, limit):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            problem = f"not valid JSON ({error})"
            remedy = "Each line must hold one JSON object."
            raise DataError(path, place, problem, remedy) from None
        node = Node(value, path, place)
        node.object()
        yield node


def numbered_lines(path: Path, limit: int) -> Iterator[tuple[str, bytes]]:
    """Every line that is not blank, with its place (`"line 3"`, counted from 1)."""
    with reading(path), open_json(path) as file:
        for number, line in enumerate(bounded_lines(file, path, limit), start=1):
            if line.strip():
                yield f"line {number}", line


def bounded_lines(file: IO[bytes], path: Path, limit: int) -> Iterator[bytes]:
    """Lines of an open file, none of them above `limit` bytes."""
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise DataError(
                path,
                f"line {number}",
                f"longer than {limit // 2**20} MB",
                "The file must hold one case per line; is it a single JSON document?",
            )
        yield line
