"""Units, budgets: what is indexed, what is shown, and how much of it."""

from datetime import datetime

import pytest
from histories import item, session, turn
from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.parts.budget import cut
from membench.adapters.parts.units import Segmenter, spoken_date
from membench.domain.case import Session
from membench.domain.errors import UsageError
from membench.domain.system import Memory, Query


def test_turn_units_are_the_tasks_rendering_and_name_their_turn() -> None:
    units = Segmenter().units(session(0, ["one", "two"]))
    assert [(u.indexed, u.memory.text, u.memory.sources) for u in units] == [
        ("one", "one", ("s0:0",)),
        ("two", "two", ("s0:1",)),
    ]


def test_a_session_unit_is_indexed_joined_by_one_space_and_shown_by_lines() -> None:
    (unit,) = Segmenter(granularity="session").units(session(0, ["one", "two", "three"]))
    assert unit.indexed == "one two three"
    assert unit.memory.text == "one\ntwo\nthree"
    assert unit.memory.sources == ("s0:0", "s0:1", "s0:2")


def test_user_roles_leave_the_assistant_out() -> None:
    (unit,) = Segmenter(granularity="session", roles="user").units(session(0, ["a", "b", "c"]))
    assert unit.indexed == "a c"
    assert unit.memory.sources == ("s0:0", "s0:2")


def test_a_session_without_user_turns_is_one_empty_row() -> None:
    assistant_only = Session("s", 0, (turn("t", "hello", "assistant"),))
    (unit,) = Segmenter(granularity="session", roles="user", text="dated").units(assistant_only)
    assert (unit.indexed, unit.memory.sources) == ("", ())
    assert Segmenter(roles="user").units(assistant_only) == []


@given(st.integers(0, 30), st.integers(1, 6), st.integers(1, 6))
def test_windows_hold_every_turn_in_order_within_their_session(
    turns: int, window: int, stride: int
) -> None:
    if stride > window:
        with pytest.raises(UsageError):
            Segmenter(granularity="window", window=window, stride=stride)
        return
    segmenter = Segmenter(granularity="window", window=window, stride=stride)
    units = segmenter.units(session(0, [str(n) for n in range(turns)]))
    seen = [int(text) for unit in units for text in unit.memory.text.split("\n")]
    assert set(seen) == set(range(turns))
    for unit in units:
        numbers = [int(text) for text in unit.memory.text.split("\n")]
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert len(numbers) == min(window, turns) or numbers[-1] == turns - 1
    assert len({unit.memory.sources for unit in units}) == len(units)


def test_dated_text_begins_with_the_turns_own_date_else_the_sessions() -> None:
    segmenter = Segmenter(text="dated")
    (first, _) = segmenter.units(session(0, ["one", "two"]))
    assert first.indexed == first.memory.text == "8 May 2024 13:56: one"
    own = Session("s", 0, (turn("t", "hi", time=datetime(2023, 1, 2, 3, 4)),))
    assert segmenter.units(own)[0].indexed == "2 January 2023 03:04: hi"
    assert segmenter.item(item("i", "as it is")).indexed == "as it is"


def test_dates_do_not_depend_on_the_locale() -> None:
    assert spoken_date(datetime(2023, 12, 31, 0, 5)) == "31 December 2023 00:05"


texts = st.lists(st.text("ab ", max_size=6), max_size=10)


@given(texts, st.none() | st.integers(0, 12), st.none() | st.integers(0, 30))
def test_a_cut_is_the_longest_head_that_fits(
    given_texts: list[str], k: int | None, budget: int | None
) -> None:
    ranked = [Memory(text) for text in given_texts]
    kept = cut(ranked, Query("?", k, budget), len)
    assert kept == ranked[: len(kept)]
    assert k is None or len(kept) <= k
    assert budget is None or sum(len(memory.text) for memory in kept) <= budget
    if len(kept) < len(ranked) and (k is None or len(kept) < k):
        assert budget is not None
        assert sum(len(memory.text) for memory in ranked[: len(kept) + 1]) > budget
