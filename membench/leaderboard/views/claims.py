"""Published claims: what others have printed, apart from every measured row."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path

from membench.domain.labels import JsonObject

FILE = Path(__file__).parents[1] / "claims" / "claims.csv"
COLUMNS = (
    "system_printed", "variant", "metric", "value", "unit", "split", "categories",
    "category_printed", "category_id", "backbone", "judge", "run_by", "runner", "source", "note",
)  # fmt: skip
NOTICE = (
    "Quotations, not measurements of membench. Judges, models, prompts and category policies "
    "differ between sources: compare only inside one source. Energy is in none of them."
)


@cache
def claims() -> tuple[dict[str, str], ...]:
    """Every claim, in the order of the file."""
    with FILE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def of_task(task: str) -> list[dict[str, str]]:
    """Claims about one benchmark."""
    return [row for row in claims() if task in row["benchmark"].split("+")]


def sources(task: str) -> list[str]:
    """Where claims about a benchmark were printed, those with most figures first."""
    counts: dict[str, int] = {}
    for row in of_task(task):
        counts[row["source"]] = counts.get(row["source"], 0) + 1
    return sorted(counts, key=lambda source: (-counts[source], source))


def records(task: str, source: str = "") -> list[JsonObject]:
    """The claims of one source about a benchmark, or of all of them."""
    return [
        {name: row[name] or "–" for name in COLUMNS}
        for row in of_task(task)
        if not source or row["source"] == source
    ]
