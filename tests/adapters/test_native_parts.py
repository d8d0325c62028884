"""The parts of native systems, each alone: store, vectors, segments, structured replies."""

import json
import pickle
from typing import Annotated, Any

import numpy as np
import pytest
from histories import session, turn
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from membench.adapters.parts.items import ItemStore, StoredItem, WordIndex
from membench.adapters.parts.segments import chunks, pairs, topic_starts, whole
from membench.adapters.parts.structured import Form, clip, schema_of
from membench.adapters.parts.vectors import VectorMatrix, best
from membench.domain.case import Session


def item(text: str, kind: str = "", key: str = "") -> StoredItem:
    return StoredItem("", text, (text,), None, key, kind)


@given(st.lists(st.floats(-1, 1, width=32), max_size=30), st.integers(1, 40), st.data())
def test_the_best_are_those_of_a_full_stable_sort(
    scores: list[float], k: int, data: st.DataObject
) -> None:
    allowed = np.array([data.draw(st.booleans()) for _ in scores], bool)
    found = best(np.array(scores), k, allowed)
    ranking = sorted(np.flatnonzero(allowed), key=lambda row: -scores[row])
    assert found.rows.tolist() == ranking[:k]
    assert found.scores.tolist() == [scores[row] for row in ranking[:k]]


@given(st.lists(st.sampled_from(["add", "put", "remove", "search"]), max_size=40))
def test_a_store_finds_what_it_holds_whatever_happened_before(steps: list[str]) -> None:
    store, held = ItemStore(WordIndex()), dict[str, str]()
    for n, step in enumerate(steps):
        if step == "add":
            held[store.add(item(f"word{n}")).id] = f"word{n}"
        elif held and step == "put":
            name = next(iter(held))
            held[name] = f"word{n}"
            store.put(StoredItem(name, f"word{n}"))
        elif held and step == "remove":
            name = next(iter(held))
            store.remove(name)
            del held[name]
        else:
            store.flush()
    assert {found.item.id for found in store.search("word", None)} == set(held)
    assert {memory.id: memory.text for memory in store.memories()} == held


def test_what_repeats_a_turn_word_for_word_is_of_that_turn() -> None:
    store = ItemStore(WordIndex())
    store.hear(session(0, ["tea", "cake", "tea"]))

    def sources(text: str, *named: str) -> tuple[str, ...]:
        added = store.add(StoredItem("", text, named))
        other = store.add(StoredItem("", "something else", named))
        store.put(StoredItem(other.id, text, named))
        put = store.get(other.id)
        assert put is not None
        assert put.sources == added.sources
        return added.sources

    assert sources("cake", "s0:0") == ("s0:1",)
    assert sources("tea", "s0:1") == ("s0:0", "s0:2")
    assert sources("tea", "s0:2") == ("s0:2",), "one of the turns with these words"
    assert sources("cake", "s0:0", "s0:1") == ("s0:0", "s0:1"), "its turn is among them"
    assert sources("tea and cake", "s0:0") == ("s0:0",)
    assert sources("cake") == (), "what names no turn is left so"


def test_a_store_reports_every_change_once_under_a_lasting_id() -> None:
    store = ItemStore(WordIndex())
    first = store.add(item("tea"))
    store.add(item("  "))
    store.put(StoredItem(first.id, "jam"))
    store.remove(first.id)
    changes = store.take_changes()
    assert [(change.kind, change.memory.text) for change in changes] == [
        ("add", "tea"),
        ("update", "jam"),
        ("delete", "jam"),
    ]
    assert {change.memory.id for change in changes} == {"0"}
    assert store.take_changes() == []
    assert store.add(item("bread")).id == "2"


def test_banks_and_ids_can_be_left_out_of_a_search() -> None:
    store = ItemStore(WordIndex())
    one, two = store.add(item("tea one", "a")), store.add(item("tea two", "b"))
    assert [f.item for f in store.search("tea", 5, kinds=["b"])] == [two]
    assert [f.item for f in store.search("tea", 5, without=[two.id])] == [one]
    assert store.search("tea", 5, kinds=["c"]) == []
    assert [f.item for f in store.nearest(one.id, 5)] == [two]


def test_a_search_is_by_the_key_where_there_is_one() -> None:
    store = ItemStore(WordIndex())
    store.add(item("x", key="zebra"))
    store.add(item("zebra", key="tea"))
    store.add(item("jam"))
    assert store.search("zebra", 1)[0].item.text == "x"


def test_a_store_survives_pickling_and_counts_its_bytes() -> None:
    store = ItemStore(WordIndex())
    empty = store.size_bytes
    store.add(item("tea time"))
    store.flush()
    assert store.size_bytes > empty
    copy = pickle.loads(pickle.dumps(store))
    assert copy.search("tea", 1) == store.search("tea", 1)


def test_vectors_grow_are_dropped_and_keep_their_scores() -> None:
    matrix = VectorMatrix()
    matrix.add(np.zeros((1, 0), np.float32))
    matrix.add(np.eye(3, dtype=np.float32))
    assert matrix.scores(np.array([0, 1, 0], np.float32)).tolist() == [0, 0, 1, 0]
    matrix.keep([2, 0])
    assert matrix.scores(np.array([0, 1, 0], np.float32)).tolist() == [1, 0]
    assert matrix.likeness(0).tolist() == [1, 0]
    assert matrix.scores(np.zeros(5, np.float32)).tolist() == [0, 0]


def spoken(speakers: str) -> Session:
    turns = [
        turn(f"t{n}", f"{who}{n}", "user" if who == "a" else "assistant")
        for n, who in enumerate(speakers)
    ]
    return Session("s", 0, tuple(turns))


@pytest.mark.parametrize(
    ("speakers", "groups"),
    [
        ("abab", "ab ab"),
        ("aabba", "aabb a"),
        ("ba", "ba"),
        ("b", "b"),
        ("", ""),
        ("abbba", "abbb a"),
    ],
)
def test_a_pair_is_what_one_says_and_the_reply(speakers: str, groups: str) -> None:
    found = ["".join(t.text[0] for t in pair.turns) for pair in pairs(spoken(speakers))]
    assert " ".join(found) == groups


@given(st.text("ab", max_size=30), st.integers(1, 40), st.integers(0, 20))
def test_no_segmenter_loses_a_turn(speakers: str, characters: int, overlap: int) -> None:
    given_ = spoken(speakers)
    names = [t.id for t in given_.turns]
    assert [t.id for pair in pairs(given_) for t in pair.turns] == names
    assert [t.id for segment in whole(given_) for t in segment.turns] == names
    cut = chunks(given_, characters, overlap)
    assert list(dict.fromkeys(t.id for chunk in cut for t in chunk.turns)) == names
    for chunk in cut:
        assert len(chunk.turns) == 1 or sum(len(t.text) for t in chunk.turns) <= characters


def test_chunks_begin_with_the_end_of_the_one_before() -> None:
    cut = chunks(session(0, ["aaaa", "bbbb", "cccc", "dddd"]), 12, 4)
    assert [chunk.text for chunk in cut] == ["aaaa\nbbbb\ncccc", "cccc\ndddd"]


def test_topics_begin_where_neighbours_are_least_alike() -> None:
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1], [0.1, 0.9]], np.float32)
    assert topic_starts(vectors, 0.2, 0.05, 0.5) == [0, 2]
    assert topic_starts(vectors[:2], 0.2, 0.05, 0.5) == [0]
    assert topic_starts(vectors[:1], 0.2, 0.05, 0.5) == [0]


class Inner(Form):
    name: str


class Outer(Form):
    parts: Annotated[list[Inner], Field(max_length=2)]
    text: Annotated[str, Field(max_length=3)] = ""


def test_a_schema_is_closed_and_wants_everything_at_every_depth() -> None:
    schema = schema_of(Outer)
    assert schema["required"] == ["parts", "text"]
    assert schema["$defs"]["Inner"]["additionalProperties"] is False
    assert json.dumps(schema)


@given(st.lists(st.integers(), max_size=5), st.text(max_size=5))
def test_clipping_keeps_the_head_and_says_whether_it_cut(parts: list[Any], text: str) -> None:
    clipped, cut = clip({"parts": parts, "text": text, "more": 1}, schema_of(Outer))
    assert clipped == {"parts": parts[:2], "text": text[:3], "more": 1}
    assert cut == (len(parts) > 2 or len(text) > 3)
