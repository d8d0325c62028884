"""scores.jsonl: one row per question or scored item."""

from __future__ import annotations

from pathlib import Path

import orjson

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
    """Read scores.jsonl back."""
    with path.open("rb") as file:
        return [score_from_json(orjson.loads(line)) for line in file]


def score_from_json(line: JsonView) -> Score:
    """One line of scores.jsonl."""
    return Score(**{**line, "flags": tuple(line["flags"])})
