"""scores.jsonl: one row per question or scored item."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import orjson

from membench.domain.errors import DataError
from membench.domain.labels import JsonView
from membench.domain.score import Score
from membench.domain.whole_file import written_whole


@contextmanager
def written_scores(path: Path, rows: Iterable[Score]) -> Iterator[Iterator[Score]]:
    """Replace scores.jsonl row by row, as they are read; they need not fit into memory.

    Args:
        path: The file. It is replaced once every row is written, and kept if anything fails.
        rows: The rows.

    Yields:
        The same rows, each written when it is read; those that are left unread are written at the
        end.
    """
    with written_whole(path) as file:
        passing = (_write(file, row) for row in rows)
        yield passing
        for _ in passing:
            pass


def _write(file: BinaryIO, row: Score) -> Score:
    file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    return row


def read_scores(path: Path) -> list[Score]:
    """Read scores.jsonl back.

    Raises:
        DataError: A line is no score row.
    """
    return list(stream_scores(path))


def stream_scores(path: Path) -> Iterator[Score]:
    """The rows of scores.jsonl, one after the other.

    Raises:
        DataError: A line is no score row.
    """
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                row = score_from_json(orjson.loads(line))
            except (ValueError, TypeError, KeyError):
                raise DataError(
                    path, f"line {number}", "is no score row", "Score the run again."
                ) from None
            yield row


def score_from_json(line: JsonView) -> Score:
    """One line of scores.jsonl."""
    return Score(**{**line, "flags": tuple(line["flags"])})
