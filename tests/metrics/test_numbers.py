"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.numbers import compact, counted, significant


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0.0, "0"),
        (0.0000123, "0.0000123"),
        (0.5, "0.500"),
        (12.3456, "12.3"),
        (309.7, "310"),
        (3_600_000.4, "3,600,000"),
        (-41.24, "-41.2"),
    ],
)
def test_three_digits_count_and_large_numbers_are_whole(value: float | None, text: str) -> None:
    assert significant(value) == text


@given(st.floats(1e-9, 1e12), st.integers(1, 4))
def test_no_number_has_an_exponent_or_is_far_from_itself(value: float, digits: int) -> None:
    text = significant(value, digits)
    assert "e" not in text
    assert float(text.replace(",", "")) == pytest.approx(value, rel=0.5 * 10 ** (1 - digits))


@pytest.mark.parametrize(
    ("n", "words"),
    [(0, ("run",)), (1, ("run",)), (2000, ("run",)), (1, ("memory", "memories"))],
)
def test_one_of_a_thing_is_told_in_the_singular(n: int, words: tuple[str, ...]) -> None:
    told = {0: "0 runs", 2000: "2,000 runs"}
    assert counted(n, *words) == told.get(n, f"1 {words[0]}")


@pytest.mark.parametrize("value", [5.25e-05, 999.9, 1e6, 0.0, 3.0, 0.25])
def test_a_compact_number_has_no_exponent_and_no_zeros_to_no_purpose(value: float) -> None:
    assert "e" not in compact(value)
    assert compact(3.0) == "3" and compact(0.25) == "0.25" and compact(5.25e-05) == "0.0000525"
