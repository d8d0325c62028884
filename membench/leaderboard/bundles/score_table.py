"""`scores.jsonl.gz`, schema 2: the names of metrics once, then the values of each row in order.

A row of a run's scores.jsonl (schema 1) repeats the names of its metrics; in a bundle they would be
most of its bytes. Here a line says which names are meant from now on by a number:

    {"schema": 2}
    {"metrics": ["f1", "evidence.turn.recall@10"]}
    {"item_id": "conv-1/q0", ..., "names": 0, "values": [0.5, 1.0]}
    {"item_id": "conv-1/q1", ..., "names": 0, "values": [0.0, null]}

Names are numbered from 0 in the order of their lines. Bundles made before hold rows of schema 1,
without a first line that says so; both are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

from membench.domain.labels import JsonObject, JsonView
from membench.domain.score import Score

SCHEMA = 2
PLAIN = tuple(field.name for field in fields(Score) if field.name != "values")


def packed_rows(rows: Iterable[Score]) -> Iterator[JsonObject]:
    """Score rows as lines of schema 2."""
    yield {"schema": SCHEMA}
    known: dict[tuple[str, ...], int] = {}
    for row in rows:
        names = tuple(row.values)
        if names not in known:
            known[names] = len(known)
            yield {"metrics": names}
        plain = {name: getattr(row, name) for name in PLAIN}
        yield {**plain, "names": known[names], "values": tuple(row.values.values())}


class ScoreLines:
    """Turns the lines of a file of either schema into rows, one after the other.

    The names that lines have told so far are kept: a row that comes again is read by its line.
    """

    def __init__(self) -> None:
        """Start before the first line."""
        self.names: list[tuple[str, ...]] = []

    def row(self, line: JsonView) -> Score | None:
        """The row of a line; None for a line that is none.

        Raises:
            LookupError: It names metrics that no line has told.
            ValueError: It has more or fewer values than names.
        """
        if "metrics" in line:
            self.names.append(tuple(line["metrics"]))
        if "item_id" not in line:
            return None
        values = line["values"]
        if "names" in line:
            values = dict(zip(self.names[line["names"]], values, strict=True))
        plain = {name: line[name] for name in PLAIN}
        return Score(**{**plain, "values": values, "flags": tuple(line["flags"])})


def unpacked_rows(lines: Iterable[JsonView]) -> Iterator[Score]:
    """The rows of a file of either schema.

    Raises:
        LookupError: A row names metrics that no line has told.
        ValueError: A row has more or fewer values than names.
    """
    table = ScoreLines()
    for line in lines:
        row = table.row(line)
        if row is not None:
            yield row
