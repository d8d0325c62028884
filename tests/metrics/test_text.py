import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.metrics.text import (
    OFFICIAL_REFUSALS,
    list_f1,
    normalise,
    refuses,
    stem,
    token_f1,
)


def test_normalisation_drops_commas_case_punctuation_and_four_words():
    assert normalise("The 1,200  cats, and a DOG's: an end!") == "1200 cats dogs end"


def test_articles_inside_words_stay():
    assert normalise("band theatre sand") == "band theatre sand"


def test_only_ascii_punctuation_is_dropped():
    assert normalise("it’s — “so”") == "it’s — “so”"


def test_stemming_is_porters_in_nltk_mode():
    assert [stem(w) for w in ("running", "dies", "skies", "happily")] == [
        "run",
        "die",
        "sky",
        "happili",
    ]


def test_f1_counts_tokens_as_a_multiset():
    # two of three predicted, two of four expected: P = 2/3, R = 1/2
    assert token_f1("red red blue", "red red green grey") == pytest.approx(4 / 7)


def test_nothing_shared_is_zero_also_for_empty_texts():
    assert token_f1("", "") == token_f1("x", "") == token_f1("the", "a") == 0


def test_lists_score_each_gold_part_by_its_best_match():
    # "tea" is found, "green coffee" half: F1 of coffee is 2/3
    assert list_f1("coffee, tea, milk", "tea, green coffee") == pytest.approx((1 + 2 / 3) / 2)


def test_a_list_answer_without_commas_is_one_part():
    assert list_f1("tea coffee", "tea, coffee") == pytest.approx(2 / 3)


def test_official_refusals_are_two_phrases_in_any_case():
    assert refuses("It is NOT mentioned.", OFFICIAL_REFUSALS)
    assert refuses("No information available", OFFICIAL_REFUSALS)
    assert not refuses("I don't know", OFFICIAL_REFUSALS)
    assert refuses("I don’t know")


@given(st.text(), st.text())
def test_f1_is_a_symmetric_fraction(one, two):
    value = token_f1(one, two)
    assert 0 <= value <= 1
    assert value == pytest.approx(token_f1(two, one))


@given(st.text(min_size=1))
def test_a_text_that_has_words_matches_itself(text):
    assert token_f1(text, text) == (1 if normalise(text) else 0)
