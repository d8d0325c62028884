"""Dates in what people say: what `readers.extractive.dates` promises."""

from __future__ import annotations

from datetime import date
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.readers.extractive.dates import MONTHS, PRINTED, WEEKDAYS, Grain, When, mentions

SAID = date(2022, 6, 15)  # a Wednesday


def told(text: str, said: date | None = SAID) -> list[str]:
    return [str(when) for mention in mentions(text) if (when := mention.resolve(said))]


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("I saw her yesterday", "14 June 2022"),
        ("it rained last night", "14 June 2022"),
        ("we leave tomorrow", "16 June 2022"),
        ("the day before yesterday we met", "13 June 2022"),
        ("this morning I fell", "15 June 2022"),
        ("three days ago", "12 June 2022"),
        ("two weeks ago", "1 June 2022"),
        ("a couple of days ago", "13 June 2022"),
        ("four months ago", "February 2022"),
        ("ten years ago", "2012"),
        ("a few weeks ago", "a few weeks before 15 June 2022"),
        ("last Friday", "10 June 2022"),
        ("last Wednesday", "8 June 2022"),
        ("on Monday", "13 June 2022"),
        ("next Monday", "20 June 2022"),
        ("this Sunday", "19 June 2022"),
        ("last week", "the week before 15 June 2022"),
        ("next weekend", "the weekend after 15 June 2022"),
        ("last month", "May 2022"),
        ("next month", "July 2022"),
        ("last year", "2021"),
        ("next year", "2023"),
        ("last summer", "summer 2021"),
        ("last March", "March 2022"),
        ("last November", "November 2021"),
        ("in August", "August 2022"),
        ("in October", "October 2022"),
        ("since 2016", "2016"),
        ("for six years now", "2016"),
        ("on May 7th", "7 May 2022"),
        ("on the 3rd of October, 2019", "3 October 2019"),
        ("on 7 May 2021", "7 May 2021"),
        ("March 2020", "March 2020"),
        ("2021-02-03", "3 February 2021"),
        ("on 3/8", "8 March 2022"),
        ("on Valentine’s Day", "14 February 2022"),
        ("the other day", "a few days before 15 June 2022"),
    ],
)
def test_a_time_is_resolved_against_the_day_it_was_said(text: str, printed: str) -> None:
    assert told(text) == [printed]


@pytest.mark.parametrize(
    "text", ["I may march on", "she is second to none", "a fall from the horse", "no time told"]
)
def test_words_that_only_look_like_times_are_none(text: str) -> None:
    assert told(text) == []


def test_a_year_wraps_at_its_end() -> None:
    assert told("last month", date(2022, 1, 5)) == ["December 2021"]
    assert told("on December 30th", date(2022, 1, 5)) == ["30 December 2021"]


def test_without_a_day_only_absolute_times_are_known() -> None:
    assert told("yesterday, since 2016, on 2021-02-03", None) == ["2016", "3 February 2021"]


def test_an_impossible_day_is_no_time() -> None:
    assert told("on 31 June 2022") == []


def test_a_leap_day_falls_back_in_common_years() -> None:
    assert told("on February 29th", date(2023, 3, 1)) == ["28 February 2023"]


def test_several_times_stand_in_order() -> None:
    assert told("yesterday and two years ago") == ["14 June 2022", "2020"]


@given(st.text(max_size=80), st.dates(date(1990, 1, 1), date(2080, 1, 1)))
def test_any_text_can_be_searched(text: str, said: date) -> None:
    found = mentions(text)
    assert all(0 <= m.start < m.end <= len(text) for m in found)
    assert all(a.end <= b.start for a, b in pairwise(found))
    for mention in found:
        mention.resolve(said)


SIDES = ("last", "this past", "this", "next", "on")
NAMES = (*WEEKDAYS, *MONTHS, "week", "weekend", "month", "year", "summer", "fall", "winter")
COUNTS = ("a", "two", "a few", "several", "17")


@given(st.dates(date(1, 1, 9), date(9999, 12, 1)))
def test_whatever_time_is_told_is_printed_in_one_of_the_known_ways(said: date) -> None:
    texts = [f"{side} {name}" for side in SIDES for name in NAMES]
    texts += [f"{n} {unit}s ago" for n in COUNTS for unit in ("day", "week", "weekend", "month")]
    texts += [
        "in a few years",
        "recently",
        "on Christmas",
        "in May",
        "2023-05-07",
        "7/4",
        "tonight",
    ]
    for text in texts:
        for when in (mention.resolve(said) for mention in mentions(text)):
            assert when is None or PRINTED.fullmatch(str(when)), text


@given(st.dates(date(1900, 1, 1), date(2100, 1, 1)))
def test_a_printed_day_is_found_again(day: date) -> None:
    if 1900 <= day.year < 2100:
        assert told(str(When(day, Grain.DAY))) == [str(When(day, Grain.DAY))]
