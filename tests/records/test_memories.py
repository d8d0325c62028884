"""What is recorded of a memory or a change is what is read back."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from membench.domain.system import Memory, MemoryChange
from membench.records.memories import (
    MemoryTable,
    changes_from_content,
    changes_to_content,
    memory_from_line,
    memory_to_line,
)

memories = st.builds(
    Memory,
    text=st.text(max_size=20),
    sources=st.lists(st.text(max_size=4), max_size=3).map(tuple),
    time=st.none() | st.datetimes() | st.datetimes(timezones=st.just(UTC)),
    score=st.none() | st.floats(allow_nan=False),
    id=st.none() | st.sampled_from(["7f0c", "a", "0", "1"]) | st.text(max_size=3),
)
changes = st.lists(
    st.builds(MemoryChange, st.sampled_from(["add", "update", "delete"]), memories), max_size=8
)


class Lines(list[dict[str, Any]]):
    """A journal in memory; what is written goes through JSON."""

    def append(self, line: Any) -> None:
        super().append(json.loads(json.dumps(line)))

    def close(self) -> None:
        """Nothing to close."""


def written_and_read(
    events: list[list[MemoryChange]],
) -> tuple[list[tuple[MemoryChange, ...] | None], list[Any], Lines]:
    """Changes of several events of one case, recorded and read back."""
    lines = Lines()
    table = MemoryTable("case", 1, lines)
    contents = [
        json.loads(json.dumps({"changes": changes_to_content(event, table)})) for event in events
    ]
    return [changes_from_content(content, lines) for content in contents], contents, lines


@settings(deadline=None)  # the first example loads the tokenizer
@given(memories)
def test_a_memory_is_read_back_as_it_was_written(memory: Memory) -> None:
    line = json.loads(json.dumps(memory_to_line(memory)))
    assert memory_from_line(line, memory.id) == replace(memory, score=None)
    assert memory_from_line(line).id is None


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(changes, max_size=4))
def test_changes_are_read_back_with_ids_that_are_equal_where_the_systems_are(
    events: list[list[MemoryChange]],
) -> None:
    found, _, _ = written_and_read(events)
    given = [change for event in events for change in event]
    back = [change for event in found for change in event or ()]
    assert [without_id(change) for change in back] == [without_id(change) for change in given]
    assert [c.memory.id is None for c in back] == [c.memory.id is None for c in given]
    for (old, new), (other_old, other_new) in combinations(zip(given, back, strict=True), 2):
        assert (old.memory.id == other_old.memory.id) == (new.memory.id == other_new.memory.id)


def without_id(change: MemoryChange) -> MemoryChange:
    return MemoryChange(change.kind, replace(change.memory, id=None, score=None))


@pytest.mark.slow
@settings(deadline=None)
@given(st.lists(changes, max_size=3), st.text(max_size=3))
def test_records_do_not_depend_on_how_a_system_spells_its_ids(
    events: list[list[MemoryChange]], prefix: str
) -> None:
    respelled = [
        [
            MemoryChange(c.kind, replace(c.memory, id=c.memory.id and f"{prefix}{c.memory.id}"))
            for c in event
        ]
        for event in events
    ]
    if any(c.memory.id == "" for event in events for c in event):
        return
    assert written_and_read(events)[1:] == written_and_read(respelled)[1:]


def test_without_ids_a_change_is_recorded_as_ever() -> None:
    _, contents, _ = written_and_read([[MemoryChange("add", Memory("a note"))]])
    assert contents == [{"changes": [{"kind": "add", "n": 0}]}]


def test_a_text_is_written_once_whatever_its_id() -> None:
    pair = [MemoryChange("add", Memory("a note", id=name)) for name in ("x", "y")]
    _, contents, lines = written_and_read([pair])
    assert [entry["n"] for entry in contents[0]["changes"]] == [0, 0]
    assert [entry["id"] for entry in contents[0]["changes"]] == [0, 1]
    assert len(lines) == 1


@pytest.mark.parametrize("content", [{}, {"changes": None}, {"changes": 3}])
def test_a_number_of_changes_is_no_list_of_changes(content: dict[str, Any]) -> None:
    assert changes_from_content(content, []) is None


def test_changes_of_a_run_that_kept_no_ids_have_none() -> None:
    line = memory_to_line(Memory("a note", time=datetime(2024, 3, 1)))
    content = {"changes": [{"kind": "update", "n": 0}]}
    assert changes_from_content(content, [line]) == (
        MemoryChange("update", Memory("a note", time=datetime(2024, 3, 1))),
    )
