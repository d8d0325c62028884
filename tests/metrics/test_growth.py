"""The growth of a cost is the lowest kind that fits it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.growth import per_question, per_turn

LENGTHS = (20, 40, 80, 160)
POWER = {"constant": 1, "linear": 2, "quadratic": 3}


@pytest.mark.parametrize("kind", POWER)
@given(start=st.floats(0, 1e4), rate=st.floats(0.5, 1e3))
def test_totals_of_a_pure_growth_are_recognised_with_the_cost_of_the_next_turn(
    kind: str, start: float, rate: float
) -> None:
    power = POWER[kind]
    totals = [rate * n**power + min(start, rate * 20**power / 100) for n in LENGTHS]
    found = per_turn(LENGTHS, totals)
    assert found.kind == kind
    assert found.error < 0.02
    assert found.marginal == pytest.approx(power * rate * 160 ** (power - 1), rel=0.1)


@given(means=st.floats(1, 1e6))
def test_a_question_that_costs_the_same_after_any_history_is_constant(means: float) -> None:
    found = per_question(LENGTHS, [means] * 4)
    assert (found.kind, found.error) == ("constant", pytest.approx(0))
    assert found.marginal == pytest.approx(means)


def test_a_prompt_that_holds_the_whole_history_grows_linearly_per_question() -> None:
    found = per_question(LENGTHS, [30 * n + 500 for n in LENGTHS])
    assert found.kind == "linear"
    assert found.marginal == pytest.approx(30 * 160 + 500)


def test_what_never_costs_anything_has_no_growth() -> None:
    assert per_turn(LENGTHS, [0, 0, 0, 0]).kind == "none"


def test_what_fits_no_kind_says_how_badly_the_nearest_one_fits() -> None:
    assert per_turn(LENGTHS, [100, 5000, 300, 9000]).error > 0.2


def test_three_lengths_are_too_few_for_a_fit() -> None:
    with pytest.raises(ValueError, match="4 lengths"):
        per_turn((20, 40, 40, 80), (1, 2, 2, 4))
