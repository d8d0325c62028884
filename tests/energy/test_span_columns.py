"""Spans kept as columns are the spans that were put in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from membench.energy.samples import Span, Tokens
from membench.energy.span_columns import ChosenSpans, SpanColumns

SECONDS = st.floats(0, 2e9)
SPANS = st.lists(
    st.builds(
        Span,
        start=SECONDS,
        end=SECONDS,
        phase=st.sampled_from(["ingest", "recall", "answer", "judge"]),
        case=st.sampled_from(["", "a" * 16, "b" * 16]),
        event=st.integers(0, 10**15),
        cpu_s=st.none() | st.floats(0, 1e6),
        usage=st.sampled_from([{}, {"reader": Tokens(prompt=7)}]),
        abandoned=st.booleans(),
        node=st.integers(0, 9),
    ),
    max_size=30,
)


@given(SPANS, SPANS)
def test_they_come_back_in_order(first: list[Span], second: list[Span]) -> None:
    columns = SpanColumns()
    columns.extend(first)
    columns.extend(second)
    assert list(columns) == [*first, *second]
    assert [columns[at] for at in range(len(columns))] == [*first, *second]
    assert list(columns[1:3]) == [*first, *second][1:3]


@given(SPANS)
def test_some_of_them_can_be_chosen(spans: list[Span]) -> None:
    columns = SpanColumns()
    columns.extend(spans)
    odd = range(1, len(spans), 2)
    assert list(ChosenSpans(columns, odd)) == spans[1::2]
