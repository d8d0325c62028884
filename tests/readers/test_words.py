"""Words and questions: what `readers.extractive.words` and `readers.question` promise."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from membench.readers.extractive.question import Kind, analysed
from membench.readers.extractive.words import Word, stem, tokenise


@given(st.text(max_size=200))
def test_tokens_are_placed_in_their_text(text: str) -> None:
    found = tokenise(text)
    assert all(text[token.start : token.end] == token.text for token in found)
    assert all(a.end <= b.start for a, b in pairwise(found))


@pytest.mark.parametrize(
    ("forms", "key"),
    [("visit visits visited visiting", "visit"), ("go went gone going", "go"), ("two 2", "2")],
)
def test_forms_of_a_word_share_a_stem(forms: str, key: str) -> None:
    assert {stem(form) for form in forms.split()} == {key}


def test_words_carry_grammar_or_content() -> None:
    kinds = {
        token.text: token.word for token in tokenise("Ann saw 12 ducks near the old mill, I think")
    }
    assert kinds["Ann"] is Word.NAME
    assert kinds["12"] is Word.NUMBER
    assert kinds["near"] is Word.PREPOSITION
    assert kinds["ducks"] is Word.OTHER
    assert [t.text for t in tokenise("the old mill, I") if t.content] == ["old", "mill"]


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("When did Ann move?", Kind.WHEN),
        ("What year did Ann move?", Kind.WHEN),
        ("What time does Ann get up?", Kind.WHEN),
        ("Where does Ann live?", Kind.WHERE),
        ("Which city does Ann live in?", Kind.WHERE),
        ("Who helped Ann?", Kind.WHO),
        ("Why did Ann move?", Kind.WHY),
        ("How long did the move take?", Kind.HOW_LONG),
        ("How many boxes did Ann pack?", Kind.HOW_MANY),
        ("How much did the van cost?", Kind.HOW_MUCH),
        ("How often does Ann swim?", Kind.HOW_OFTEN),
        ("How does Ann feel?", Kind.HOW),
        ("Did Ann move?", Kind.YES_NO),
        ("What did Ann do on Sunday?", Kind.WHAT),
        ("What does Ann want to do?", Kind.WHAT_DO),
        ("What colour is the van?", Kind.WHAT),
        ("Can you remind me what colour the van was?", Kind.WHAT),
        ("What's the name of the van?", Kind.WHAT),
        ("Tell me about the van.", Kind.OTHER),
    ],
)
def test_the_kind_of_a_question(question: str, kind: Kind) -> None:
    assert analysed(question).kind is kind


def test_what_is_asked_for() -> None:
    assert analysed("What kind of music does Ann like?").focus == {"music"}
    assert analysed("How many boxes did Ann pack?").focus == {"box"}
    assert analysed("What is Ann's favourite colour?").focus == {stem("colour")}


def test_whether_several_things_are_asked_for() -> None:
    assert analysed("What instruments does Ann play?").plural
    assert analysed("What are Ann's hobbies?").plural
    assert not analysed("What instrument does Ann play?").plural
    assert not analysed("What bus did Ann take?").plural


def test_names_that_evidence_must_know_are_no_months() -> None:
    assert analysed("What did Ann do in Oslo in May?").names == {"ann", stem("oslo")}


def test_whose_words_are_meant() -> None:
    assert analysed("What did I buy?").about == "user"
    assert analysed("What did you recommend?").about == "assistant"
    assert analysed("What did Ann buy?").about is None


def test_a_remark_before_the_question_is_context() -> None:
    question = analysed("I was thinking about our trip. Where did we sleep?")
    assert question.kind is Kind.WHERE
    assert stem("trip") in question.stems


@given(st.text(max_size=120))
def test_any_question_can_be_analysed(text: str) -> None:
    analysed(text)
