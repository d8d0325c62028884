"""Lines of scores.jsonl.gz as pydantic models, of either schema."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    Discriminator,
    Field,
    StrictInt,
    Tag,
)

from membench.domain.labels import JsonView
from membench.leaderboard.bundles.field_types import (
    Count,
    ItemId,
    Label,
    Real,
    ShortText,
    StrictModel,
)


class ScoreLine(StrictModel):
    """A row of scores.jsonl, its metrics named; in bundles from before there was a table."""

    case_id: ItemId
    item_id: ItemId
    kind: Label
    category: Label | None
    status: Literal["scored", "unscored", "failed"]
    values: dict[Label, Real | None]
    reason: ShortText | None
    flags: list[Label]
    event: Count | None


class ScoreHeader(StrictModel):
    """The first line of a score table (`score_table`)."""

    schema_: Annotated[StrictInt, Field(alias="schema")]


class MetricNames(StrictModel):
    """A line of a score table that says which metrics the following rows mean by a number."""

    metrics: Annotated[list[Label], Field(max_length=1000)]


class ScoreRow(StrictModel):
    """A row of a score table: values in the order of the names that `names` stands for."""

    case_id: ItemId
    item_id: ItemId
    kind: Label
    category: Label | None
    status: Literal["scored", "unscored", "failed"]
    names: Count
    values: list[Real | None]
    reason: ShortText | None
    flags: list[Label]
    event: Count | None


HEADER, NAMES, ROW, PLAIN_ROW = SCORE_LINES = (
    "header line",
    "names line",
    "row line",
    "plain line",
)


def kind_of_score_line(line: JsonView) -> str:
    """Which of `SCORE_LINES` a line of a score file is, by its keys."""
    keys = zip(SCORE_LINES, ("schema", "metrics", "names"), strict=False)
    return next((kind for kind, key in keys if key in line), SCORE_LINES[-1])


ScoreEntry = Annotated[
    Annotated[ScoreHeader, Tag("header line")]
    | Annotated[MetricNames, Tag("names line")]
    | Annotated[ScoreRow, Tag("row line")]
    | Annotated[ScoreLine, Tag("plain line")],
    Discriminator(kind_of_score_line),
]
"""A line of scores.jsonl.gz, of either schema."""
