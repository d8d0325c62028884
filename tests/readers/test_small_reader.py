"""The prompt for small models is what it was, and contexts are cut to what surely fits."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.domain.answer import AnswerInput
from membench.domain.errors import UsageError
from membench.domain.system import Memory
from membench.harness.prepare import check_reader
from membench.llm.client import ModelClient
from membench.readers.llm.reader import MARGIN, PER_MESSAGE, LlmReader
from membench.readers.registry import choose_reader
from membench.readers.small.reader import PROMPT, SmallReader, small_messages
from membench.records.spec import RunSpec
from membench.tasks.registry import get_task
from membench.tokens import count_tokens

LOCKED = "9f8862a41ad1bd4e83352fb75a9c7076c17c807be7939e70f4278746ac2b6546"
"""A changed prompt is another comparison key: new rows do not compare with old ones."""

MOVE = Memory('Ada said, "I moved to Lisbon."', ("D1:3",), datetime(2019, 5, 8, 16, 5))


def test_the_prompt_is_the_one_that_was_frozen() -> None:
    assert hashlib.sha256(PROMPT.encode()).hexdigest() == LOCKED
    assert choose_reader("smollm2").card.prompt == PROMPT


def test_a_question_comes_after_examples_with_plain_dates_and_no_ids() -> None:
    messages = small_messages(AnswerInput("Where does Ada live?", (MOVE,), "2020-01-01T00:00:00"))
    assert [m.role for m in messages] == ["system", *["user", "assistant"] * 3, "user"]
    last = messages[-1].content
    assert '8 May 2019: Ada said, "I moved to Lisbon."' in last
    assert last.endswith("Question: Where does Ada live?")
    assert "D1:3" not in last
    assert "16:05" not in last
    assert "2020" not in last


def test_without_memories_it_says_so_and_options_are_shown() -> None:
    last = small_messages(AnswerInput("Who?", (), options=("Ada", "nobody")))[-1].content
    assert "(none)" in last
    assert last.endswith("(a) Ada\n(b) nobody")


def test_braces_in_a_memory_are_no_placeholders() -> None:
    last = small_messages(AnswerInput("{memories}?", (Memory("{question}"),)))[-1].content
    assert last.endswith("Notes:\n{question}\n\nQuestion: {memories}?")


def test_a_small_model_is_not_asked_for_whole_replies() -> None:
    whole = get_task("persistbench").card
    with pytest.raises(UsageError, match="--reader llm:smollm2"):
        check_reader(RunSpec("bm25", "persistbench", reader="smollm2"), whole)
    check_reader(RunSpec("bm25", "persistbench", reader="llm:smollm2"), whole)


def reader(kind: type[LlmReader], window: int | None, limit: int = 32) -> LlmReader:
    """A reader that is not asked anything."""
    return kind(
        cast(ModelClient, None), cast(Any, get_task("locomo")()), max_tokens=limit, window=window
    )


memories = st.lists(st.text(st.characters(codec="ascii"), max_size=200).map(Memory), max_size=30)


@pytest.mark.slow
@given(memories, st.integers(200, 3000))
def test_the_longest_beginning_of_the_ranking_that_fits_is_kept(
    found: list[Memory], window: int
) -> None:
    asked = AnswerInput("Who?", tuple(found))
    for mine in (reader(SmallReader, window), reader(LlmReader, window)):
        kept = mine.fitted(asked).memories
        assert kept == tuple(found[: len(kept)])
        assert tokens(mine, kept) + 32 <= window or not kept
        if len(kept) < len(found):
            assert tokens(mine, tuple(found[: len(kept) + 1])) + 32 > window


def tokens(mine: LlmReader, shown: tuple[Memory, ...]) -> float:
    """What a prompt may come to in tokens of a small vocabulary."""
    return MARGIN * counted(mine, shown)


def counted(mine: LlmReader, shown: tuple[Memory, ...]) -> int:
    """Tokens of a prompt, a whole number."""
    messages = mine.messages(AnswerInput("Who?", shown))
    return sum(count_tokens(message.content) + PER_MESSAGE for message in messages)


@pytest.mark.slow
@given(memories, st.integers(1, 400))
def test_a_budget_holds_for_what_is_sent_and_not_for_texts_alone(
    found: list[Memory], budget: int
) -> None:
    asked = AnswerInput("Who?", tuple(found))
    for kind in (SmallReader, LlmReader):
        mine = replace(reader(kind, None), budget=budget)
        kept = mine.fitted(asked).memories
        added = [counted(mine, tuple(found[:n])) for n in (0, len(kept), len(kept) + 1)]
        assert kept == tuple(found[: len(kept)])
        assert not kept or added[1] - added[0] <= budget
        assert len(kept) == len(found) or added[2] - added[0] > budget


def test_without_a_known_window_nothing_is_cut() -> None:
    asked = AnswerInput("Who?", (MOVE,) * 5000)
    assert reader(SmallReader, None).fitted(asked) is asked
