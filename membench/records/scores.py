"""scores.jsonl: one row per question or scored item."""

from __future__ import annotations

from pathlib import Path

import orjson

from membench.domain.errors import DataError
from membench.domain.labels import JsonView
from membench.domain.score import Score


def write_scores(path: Path, rows: list[Score]) -> None:
    """Replace scores.jsonl."""
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        for row in rows:
            file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    temporary.replace(path)


def read_scores(path: Path) -> list[Score]:
    """Read scores.jsonl back.

    Raises:
        DataError: A line is no score row.
    """
    rows = []
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            try:
                rows.append(score_from_json(orjson.loads(line)))
            except (ValueError, TypeError, KeyError):
                raise DataError(
                    path, f"line {number}", "is no score row", "Score the run again."
                ) from None
    return rows


def score_from_json(line: JsonView) -> Score:
    """One line of scores.jsonl."""
    return Score(**{**line, "flags": tuple(line["flags"])})
