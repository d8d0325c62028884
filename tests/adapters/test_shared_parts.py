"""Parts that several systems share: numbers of a list, entities, joined items, fused ranks."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.parts.entities import ENTITY, Entities, Relation
from membench.adapters.parts.fusion import fused
from membench.adapters.parts.items import ItemStore, StoredItem, WordIndex, sources_of
from membench.adapters.parts.numbered import Numbers, known, numbered, picked
from membench.adapters.parts.rescoring import YesNo, affirmed
from membench.adapters.parts.structured import ReplyCounts
from membench.adapters.parts.units import day_of


class Says:
    """A model that always says the same."""

    def __init__(self, reply: Any) -> None:
        self.counts = ReplyCounts()
        self.reply = reply
        self.asked: list[str] = []

    def ask(self, instruction: str, text: str, form: type) -> Any:
        self.asked.append(text)
        return self.reply


def item(text: str, *sources: str, kind: str = "") -> StoredItem:
    return StoredItem("", text, sources, kind=kind)


@given(st.lists(st.integers(-3, 12)), st.integers(0, 8))
def test_known_numbers_are_those_of_the_list_once_each_and_the_others_are_counted(
    numbers: list[int], size: int
) -> None:
    counts = ReplyCounts()
    found = known(numbers, size, counts)
    assert set(found) == set(numbers) & set(range(size))
    assert len(found) == len(set(found))
    assert counts.unknown == sum(number not in range(size) for number in numbers)


def test_a_list_is_numbered_from_zero() -> None:
    assert numbered(["tea", "jam"]) == "0. tea\n1. jam"
    assert numbered([]) == "(none)"


@pytest.mark.parametrize(
    ("reply", "found"),
    [
        (Numbers(numbers=[1, 0, 1]), [1, 0]),
        (Numbers(numbers=[]), []),
        (Numbers(numbers=[7]), None),
        (None, None),
    ],
)
def test_a_pick_that_names_nobody_is_no_pick(reply: Any, found: list[int] | None) -> None:
    model = Says(reply)
    assert picked(model, "Pick.", "Question", ["tea", "jam"]) == found
    assert model.asked == ["Question\n0. tea\n1. jam"]


def test_nothing_is_asked_about_an_empty_list() -> None:
    model = Says(None)
    assert picked(model, "Pick.", "Question", []) == []
    assert model.asked == []


def test_a_decision_that_does_not_come_is_yes() -> None:
    replies = (None, YesNo(answer="yes"), YesNo(answer="no"))
    assert [affirmed(Says(reply), "Is it?", "x") for reply in replies] == [True, True, False]


def test_several_items_become_one_with_the_sources_of_all() -> None:
    store = ItemStore(WordIndex())
    group = [store.add(item("a", "1")), store.add(item("b", "2", "1")), store.add(item("c", "3"))]
    store.take_changes()
    one = store.join(group, group[1])
    assert [held.sources for held in store] == [("1", "2", "3")]
    assert (one.id, sources_of(*group)) == ("1", ("1", "2", "3"))
    assert [change.kind for change in store.take_changes()] == ["delete", "delete", "update"]


def test_a_bank_is_listed_in_order_and_cut_to_its_newest() -> None:
    store = ItemStore(WordIndex())
    for n in range(5):
        store.add(item(f"text {n}", kind="odd" if n % 2 else "even"))
    store.keep_newest("even", 2)
    assert [held.text for held in store.of_kind("even")] == ["text 2", "text 4"]
    assert [held.text for held in store.of_kind("odd")] == ["text 1", "text 3"]
    store.keep_newest("even", 9)
    assert len(store) == 4


def test_entities_of_several_items_are_one_and_relations_lead_from_one_to_another() -> None:
    store = ItemStore(WordIndex())
    entities = Entities(store)
    told = [store.add(item(text, f"t{n}")) for n, text in enumerate(("one", "two", "three"))]
    entities.name("Ines", "a person", told[0])
    entities.name(" INES", "works", told[1])
    entities.name("harbour", "a place", told[2])
    entities.relate(Relation(one="Ines", other="Harbour", description="works at"), told[1])
    (ines, harbour) = store.of_kind(ENTITY)
    assert (ines.text, ines.sources) == ("Ines: a person works", ("t0", "t1"))
    assert entities.around(["ines"], 0) == {"ines"}
    assert entities.around(["Ines"], 1) == {"ines", "harbour"}
    assert entities.telling(["ines"]) == {told[0].id, told[1].id}
    assert entities.telling(["harbour", "nobody"]) == {told[2].id} == set(harbour.links)


def test_fused_ranks_add_up_and_names_keep_the_order_in_which_they_appear() -> None:
    scores = fused([["a", "b"], ["b", "c"]], constant=1)
    assert list(scores) == ["a", "b", "c"]
    assert scores == pytest.approx({"a": 1 / 2, "b": 1 / 3 + 1 / 2, "c": 1 / 3})


@pytest.mark.parametrize(
    ("words", "day"),
    [
        (" 2024-01-02 ", date(2024, 1, 2)),
        ("2024-01-02T09:00", date(2024, 1, 2)),
        ("2024-13-02", None),
        ("last week", None),
        ("", None),
    ],
)
def test_a_day_is_read_as_it_was_asked_for(words: str, day: date | None) -> None:
    assert day_of(words) == day
