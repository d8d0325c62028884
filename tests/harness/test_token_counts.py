"""The harness counts a text once in a process, however many histories it returns in."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench import tokens
from membench.domain.case import Ingest, Session, Turn
from membench.domain.system import Memory
from membench.harness.lanes.case_player import size_of
from membench.records.memories import memory_to_line

SHARED = Session("s", 0, tuple(Turn(f"t{n}", "user", "user", "", f"{n} kayaks") for n in range(3)))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each text goes through the tokenizer."""
    seen: Counter[str] = Counter()
    real = tokens.count_tokens

    def counting(text: str) -> int:
        seen[text] += 1
        return real(text)

    monkeypatch.setattr(tokens, "count_tokens", counting)
    monkeypatch.setattr(tokens, "_counts", {})
    return seen


def test_a_session_that_returns_in_many_histories_is_counted_once(counted: Counter[str]) -> None:
    sizes = {size_of(Ingest(SHARED)) for _ in range(50)}
    assert len(sizes) == 1
    assert set(counted.values()) == {1} and len(counted) == 3


def test_a_recalled_turn_is_not_counted_again(counted: Counter[str]) -> None:
    size_of(Ingest(SHARED))
    line = memory_to_line(Memory(SHARED.turns[0].text))
    assert line["tokens"] == tokens.count_tokens("0 kayaks")
    assert counted["0 kayaks"] == 2  # at ingest, and in the line above


def test_what_is_remembered_is_bounded(
    counted: Counter[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED", 1)
    assert [tokens.count_tokens_once(text) for text in ("a", "b c", "b c")] == [1, 2, 2]
    assert counted == {"a": 1, "b c": 2}


@given(st.text())
def test_it_is_the_same_count(text: str) -> None:
    assert tokens.count_tokens_once(text) == tokens.count_tokens(text)
    assert tokens.count_tokens_once(text) == tokens.count_tokens(text)
