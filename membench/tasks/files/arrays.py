"""Streaming the elements of a JSON array, for files that do not fit in memory.

Published files are dumps of equal objects: every element starts with the same brace and the same
first key. A string cannot contain those bytes, because its quotes are escaped, so they tell where
the next element starts, and each element is parsed on its own (`orjson`). Where that does not
work, because a file is irregular or broken, the rest is parsed event by event (`ijson`), which is
slower, takes any JSON, and knows what is wrong with a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import IO, Any

from membench.domain.errors import DataError
from membench.tasks.files.source import Source, is_json_lines, not_json, open_json, reading

CHUNK = 1 << 20
LONGEST = 256 * CHUNK
"""An element longer than this is left to the slow way, which does not hold its text."""

START = re.compile(rb"\s*\[\s*(?P<start>\{\s*\"(?:[^\"\\]|\\.)*\"\s*:)")
SPACE = b" \t\r\n"


class Irregular(Exception):
    """The array is not a dump of objects that start alike."""


def stream_array(source: Source) -> Iterator[Any]:
    """Yield the elements of a file that holds one JSON array, one at a time.

    Memory stays that of one element. Integers stay int, other numbers are float.

    Raises:
        DataError: Empty, truncated, not JSON, or not an array; names the element.
    """
    done = 0
    with reading(source.path):
        with open_json(source.path) as file:
            require_array(file, source.path)
            try:
                for element in regular_elements(file):
                    yield element
                    done += 1
            except Irregular:
                pass
            else:
                return
        with open_json(source.path) as file:
            yield from any_elements(file, source.path, done)


def regular_elements(file: IO[bytes]) -> Iterator[Any]:
    """The elements, if they all start alike.

    Raises:
        Irregular: They do not, or one is not JSON.
    """
    buffer = bytearray(file.read(CHUNK))
    match = START.match(buffer)
    if match is None:
        raise Irregular
    start, first = match["start"], match.start("start")
    del match  # it holds the buffer
    searched = first + 1
    while len(buffer) - first < LONGEST:
        following = buffer.find(start, searched)
        if following >= 0:
            yield parsed(buffer, first, following, b",")
            first, searched = following, following + 1
        elif more := file.read(CHUNK):
            searched = max(1, len(buffer) - first - len(start))
            del buffer[:first]
            buffer += more
            first = 0
        else:
            yield parsed(buffer, first, len(buffer), b"]")
            return
    raise Irregular


def parsed(buffer: bytearray, first: int, after: int, end: bytes) -> Any:
    """The element in `buffer[first:after]`, without the comma or bracket that follows it."""
    import orjson

    while after > first and buffer[after - 1] in SPACE:
        after -= 1
    if not buffer.endswith(end, first, after):
        raise Irregular
    with memoryview(buffer) as whole, whole[first : after - 1] as text:
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise Irregular from error


def any_elements(file: IO[bytes], path: Path, done: int) -> Iterator[Any]:
    """Every element but the first `done`, of any valid array."""
    import ijson

    elements = ijson.items(file, "item", use_float=True, buf_size=4 * CHUNK)
    index = done
    try:
        for element in islice(elements, done, None):
            yield element
            index += 1
    except (ijson.JSONError, OverflowError, UnicodeDecodeError) as error:
        raise json_error(path, index, error) from error


def require_array(file: IO[bytes], path: Path) -> None:
    """Check that the content starts with `[`, and go back to the start."""
    head = file.read(4096).lstrip()
    if not head:
        raise DataError(path, "", "the file is empty", "Fetch the file again.")
    if not head.startswith(b"["):
        if is_json_lines(head):
            raise not_json(path, head, "")
        kind = "an object" if head.startswith(b"{") else "no JSON array"
        problem = f"expected a JSON array of cases, found {kind}"
        raise DataError(path, "", problem, "Check that this is the benchmark's data file.")
    file.seek(0)


def json_error(path: Path, index: int, error: Exception) -> DataError:
    """The error for a parser's exception: the file ends early, or it is not JSON.

    Only the first line of the complaint is kept: the next ones quote the data.
    """
    raw = error.args[0] if error.args else ""
    text = raw.decode(errors="replace") if isinstance(raw, bytes) else str(raw)
    reason = text.partition("\n")[0]
    truncated = "premature EOF" in reason
    problem = "the file ends in the middle" if truncated else f"not valid JSON ({reason})"
    return DataError(path, f"[{index}]", problem, "Fetch the file again.")
