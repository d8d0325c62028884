"""The yardstick of published answers: the share of the gold's words that an answer holds."""

import pytest

from benchmarks.gold_words import words_held


@pytest.mark.parametrize(
    ("answer", "gold", "held"),
    [
        ("She went there on 7 May 2023.", "7 May 2023", 1.0),
        ("It was in May", "7 May 2023", 1 / 3),
        ("She has two dogs and a cat.", "2 dogs", 1.0),
        ("painting, painted", "paintings", 1.0),
        ("of the and", "the", 0.0),
        ("", "Oslo", 0.0),
    ],
)
def test_words_are_compared_by_stem_and_number_without_the_commonest(
    answer: str, gold: str, held: float
) -> None:
    assert words_held(answer, gold) == pytest.approx(held)


def test_what_is_said_besides_costs_nothing() -> None:
    assert words_held("Oslo " + "and something else " * 50, "Oslo") == 1.0
