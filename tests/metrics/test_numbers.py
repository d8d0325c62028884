"""Numbers as people read them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.numbers import significant


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
