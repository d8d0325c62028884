"""Files with one JSON object per line, read one line at a time.

A line is held in memory as a whole, so its length is bounded: the longest published case
(HaluMem-Long) is about 6 MB, and a line above `LINE_LIMIT` is refused before it is read to its
end.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import IO

import orjson

from membench.harness.errors import DataError
from membench.tasks.checked import Node
from membench.tasks.data import Source

LINE_LIMIT = 32 * 2**20
"""Bytes a line may have."""


def json_lines(source: Source, limit: int = LINE_LIMIT) -> Iterator[Node]:
    """The objects of a JSON Lines file in file order; blank lines are skipped.

    Raises:
        DataError: The file cannot be read or decompressed, a line is too long, not UTF-8, not
            JSON (NaN and Infinity are not), or not an object.
    """
    name = str(source.path)
    for place, line in numbered_lines(source, limit):
        try:
            value = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise DataError(
                name, place, f"not valid JSON ({error})", "Each line must hold one JSON object."
            ) from None
        node = Node(name, place, value)
        node.mapping()
        yield node


def numbered_lines(source: Source, limit: int) -> Iterator[tuple[str, bytes]]:
    """Every line that is not blank, with its place (`"line 3"`, counted from 1)."""
    try:
        with source.open() as file:
            yield from bounded_lines(file, str(source.path), limit)
    except (EOFError, zlib.error) as error:
        raise DataError(source.path, "", f"cannot be decompressed ({error})", "Fetch it anew.")\
            from None
    except OSError as error:
        raise DataError(source.path, "", f"cannot be read ({error})") from None


def bounded_lines(file: IO[bytes], name: str, limit: int) -> Iterator[tuple[str, bytes]]:
    """Lines of an open file, none of them above `limit` bytes."""
    number = 0
    while line := file.readline(limit + 1):
        number += 1
        if len(line) > limit:
            raise DataError(
                name,
                f"line {number}",
                f"longer than {limit // 2**20} MB",
                "The file must hold one case per line; is it a single JSON document?",
            )
        if number == 1:
            line = line.removeprefix(b"\xef\xbb\xbf")
        if line.strip():
            yield f"line {number}", line
