"""The table of scores holds every row as it was, names its metrics once, and reads old files."""

from __future__ import annotations

from dataclasses import asdict

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.score import Score
from membench.leaderboard.bundles.score_table import packed_rows, unpacked_rows

NAMES = st.sampled_from(["f1", "evidence.turn.recall@10", "accuracy", "strict.f1"])
VALUES = st.dictionaries(NAMES, st.none() | st.floats(0, 1), max_size=4)
ROWS = st.lists(
    st.builds(
        Score,
        case_id=st.sampled_from(["conv-1", "conv-2"]),
        item_id=st.text(min_size=1, max_size=9),
        kind=st.just("question"),
        category=st.none() | st.just("temporal"),
        status=st.sampled_from(["scored", "unscored", "failed"]),
        values=VALUES,
        reason=st.none() | st.just("no_judge"),
        flags=st.lists(st.just("pool"), max_size=2).map(tuple),
        event=st.none() | st.integers(0, 10**6),
    ),
    max_size=20,
)


@given(ROWS)
def test_rows_come_back_as_they_were(rows: list[Score]) -> None:
    lines = [orjson.loads(orjson.dumps(line)) for line in packed_rows(rows)]
    assert lines[0] == {"schema": 2}
    assert list(unpacked_rows(lines)) == rows


@given(ROWS)
def test_rows_of_bundles_from_before_are_read(rows: list[Score]) -> None:
    lines = [orjson.loads(orjson.dumps(asdict(row))) for row in rows]
    assert list(unpacked_rows(lines)) == rows


@given(ROWS)
def test_names_are_told_once(rows: list[Score]) -> None:
    told = [line["metrics"] for line in packed_rows(rows) if "metrics" in line]
    assert len(told) == len({tuple(row.values) for row in rows}) == len(set(told))


@pytest.mark.parametrize("change", [{"names": 3}, {"values": (1.0, 2.0)}])
def test_a_row_that_fits_no_names_is_no_row(change: dict[str, object]) -> None:
    row = Score("c", "q", "question", None, "scored", {"f1": 1.0})
    *head, last = packed_rows([row])
    with pytest.raises((LookupError, ValueError)):
        list(unpacked_rows([*head, {**last, **change}]))
