"""The extractive reader as a specification. All text here is our own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from statistics import fmean

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.reader_data import dialogues
from membench.domain.answer import Answer, AnswerInput, Generated, TextSpan
from membench.domain.case import Turn
from membench.domain.system import Memory
from membench.metrics.text import OFFICIAL_REFUSALS, refuses, token_f1
from membench.readers.base import resolve
from membench.readers.extractive.reader import ExtractiveReader, literal
from membench.readers.refuse.reader import REFUSAL, RefuseReader

SAID = datetime(2022, 6, 15, 18, 30)


def turn(name: str, speaker: str, words: str) -> Turn:
    return Turn(
        id=name,
        speaker=speaker,
        role="user" if speaker == "Nora" else "assistant",
        content=words,
        text=f'{speaker} said, "{words}"',
    )


CASE = {
    item.id: item
    for item in (
        turn("t1", "Nora", "We drove to Lake Mirel last Friday and rented a red canoe."),
        turn("t2", "Viktor", "Nice! I baked 24 plum tarts for the school fair yesterday."),
        turn("t3", "Nora", "My brother Tomas repairs old clocks in his workshop in Dorn."),
        turn("t4", "Nora", "I play the oboe and I don't eat meat any more."),
        turn("t5", "Nora", "On Sundays I play the flute with my aunt."),
        turn("t6", "Viktor", "The repair took three hours and cost $85, what a day."),
        turn("t7", "Nora", "The weather has been dull."),
    )
}


def memory(*names: str, text: str | None = None) -> Memory:
    joined = "\n".join(CASE[name].text for name in names)
    return Memory(text=joined if text is None else text, sources=names, time=SAID)


def ask(
    question: str,
    *memories: Memory,
    options: tuple[str, ...] = (),
    now: str | None = None,
) -> Answer:
    return ExtractiveReader().answer(AnswerInput(question, memories, now, options), CASE)


def each(names: Sequence[str]) -> list[Memory]:
    return [memory(name) for name in names]


# --- what it answers ---------------------------------------------------------------------------


def test_it_picks_a_span_and_not_the_whole_turn() -> None:
    answer = ask("What did Nora rent at Lake Mirel?", *each(["t3", "t1"]))
    assert answer.text == "red canoe"
    start = CASE["t1"].text.index("red canoe")
    assert answer.parts == (TextSpan(start=start, end=start + 9, turn="t1"),)


def test_it_resolves_a_relative_date_against_the_day_it_was_said() -> None:
    answer = ask("When did Nora go to Lake Mirel?", *each(["t1", "t2"]))
    assert answer.text == "10 June 2022"
    assert answer.parts == (Generated("10 June 2022"),)


def test_a_year_is_all_that_was_asked_for() -> None:
    assert ask("What year did Nora go to Lake Mirel?", memory("t1")).text == "2022"
    assert ask("Which month did Nora go to Lake Mirel?", memory("t1")).text == "June 2022"


def test_what_is_told_without_a_time_happened_when_it_was_told() -> None:
    assert ask("When did Tomas repair clocks?", memory("t3")).text == "15 June 2022"


def test_a_date_is_not_invented_without_the_day_it_was_said() -> None:
    undated = Memory(text=CASE["t1"].text, sources=("t1",))
    assert "2022" not in ask("When did Nora go to Lake Mirel?", undated).text


def test_it_counts_back_from_now() -> None:
    answer = ask(
        "How many days ago did Viktor bake tarts?", memory("t2"), now="2022-06-20T09:00:00"
    )
    assert answer.text == "6"


def test_numbers_durations_and_amounts() -> None:
    assert ask("How many tarts did Viktor bake?", memory("t2")).text == "24"
    assert ask("How long did the repair take?", memory("t6")).text == "three hours"
    assert ask("How much did the repair cost?", memory("t6")).text == "$85"


def test_who_and_where() -> None:
    assert ask("Who repairs old clocks?", memory("t3")).text == "brother Tomas"
    assert ask("Where is the workshop of Tomas?", memory("t3")).text == "Dorn"


def test_yes_and_no_are_generated() -> None:
    assert ask("Does Nora play the oboe?", memory("t5")).parts == (Generated("Yes"),)
    assert ask("Does Nora eat meat?", memory("t4")).parts == (Generated("No"),)


def test_a_list_takes_one_span_from_each_memory() -> None:
    answer = ask("What instruments does Nora play?", *each(["t4", "t5"]))
    assert answer.parts is not None
    turns = [part.turn for part in answer.parts if isinstance(part, TextSpan)]
    assert sorted(filter(None, turns)) == ["t4", "t5"]
    assert Generated(", ") in answer.parts
    assert "oboe" in answer.text
    assert "flute" in answer.text


# --- when it refuses ---------------------------------------------------------------------------


@pytest.mark.parametrize("text", [REFUSAL, RefuseReader().answer(AnswerInput("?", ()), {}).text])
def test_a_refusal_is_recognised_by_the_official_phrases(text: str) -> None:
    assert refuses(text, OFFICIAL_REFUSALS)


def test_it_refuses_without_memories() -> None:
    answer = ask("What did Nora rent?")
    assert answer == Answer(REFUSAL, (Generated(REFUSAL),))


def test_it_refuses_when_nothing_bears_on_the_question() -> None:
    assert ask("Which opera did the mayor of Quill praise?", *each(list(CASE))).text == REFUSAL


def test_it_refuses_what_somebody_else_did() -> None:
    assert ask("What did Viktor rent at Lake Mirel?", *each(["t1", "t2"])).text == REFUSAL


CHUNK = "Nora: We rented a red canoe at Lake Mirel.\nViktor: I baked 24 plum tarts for the fair."
FACT = "A red canoe was rented at Lake Mirel."


@pytest.mark.parametrize("text", [CHUNK, FACT, "Nora rented a red canoe at Lake Mirel."])
def test_what_a_system_wrote_of_several_speakers_answers_for_whom_it_tells_of(text: str) -> None:
    told = [memory("t1", "t2", text=text), *each(["t3", "t7", "t6"])]
    assert not refuses(ask("What did Nora rent at Lake Mirel?", *told).text, OFFICIAL_REFUSALS)


def test_what_a_system_wrote_of_somebody_else_is_refused() -> None:
    told = [memory("t1", "t2", text="Viktor baked 24 plum tarts."), *each(["t3", "t7", "t4"])]
    assert ask("What did Nora bake, plum tarts?", *told).text == REFUSAL


def test_it_refuses_a_name_that_nobody_mentioned() -> None:
    assert ask("What clocks does Henrik repair?", *each(["t3", "t6"])).text == REFUSAL


# --- official options --------------------------------------------------------------------------

OPTIONS = ("Not mentioned in the conversation", "a red canoe")


def test_it_picks_the_option_that_the_evidence_holds() -> None:
    assert ask("What did Nora rent?", memory("t1"), options=OPTIONS).text == OPTIONS[1]


def test_it_picks_the_refusal_where_somebody_else_did_it() -> None:
    answer = ask("What did Viktor rent at the lake?", *each(["t1", "t2"]), options=OPTIONS)
    assert answer.text == OPTIONS[0]


# --- parts -------------------------------------------------------------------------------------


def test_a_memory_of_several_turns_is_answered_from_the_turn() -> None:
    session = memory("t1", "t2", "t3")
    answer = ask("What did Nora rent at Lake Mirel?", memory("t7"), session)
    assert answer.text == "red canoe"
    assert isinstance((answer.parts or ())[0], TextSpan)
    assert (answer.parts or ())[0].turn == "t1"


def test_a_rewritten_memory_is_answered_from_its_own_text() -> None:
    fact = memory("t1", text="Nora rented a crimson canoe.")
    answer = ask("What did Nora rent at Lake Mirel?", memory("t7"), fact)
    assert answer.text == "crimson canoe"
    assert answer.parts == (TextSpan(start=14, end=27, memory=1),)


MEMORIES = st.lists(
    st.one_of(
        st.sampled_from(sorted(CASE)).map(memory),
        st.tuples(st.sampled_from(sorted(CASE)), st.text(max_size=60)).map(
            lambda pair: memory(pair[0], text=pair[1])
        ),
        st.text(max_size=60).map(lambda text: Memory(text=text)),
    ),
    max_size=6,
)
QUESTIONS = st.one_of(
    st.sampled_from(
        [
            "What did Nora rent?",
            "When did Viktor bake?",
            "What instruments does Nora play?",
            "Does Tomas repair clocks?",
            "How many tarts were there?",
            "How long did it take?",
            "Is the canoe red or blue?",
        ]
    ),
    st.text(max_size=60),
)


@settings(max_examples=200)
@given(QUESTIONS, MEMORIES)
def test_the_text_is_what_the_parts_resolve_to(question: str, memories: list[Memory]) -> None:
    given_ = AnswerInput(question, tuple(memories))
    answer = ExtractiveReader().answer(given_, CASE)
    assert answer.parts
    assert answer.text == resolve(answer.parts, CASE, memories)
    assert answer == ExtractiveReader().answer(given_, CASE)


@pytest.mark.slow
@given(QUESTIONS, MEMORIES)
def test_what_it_writes_of_its_own_is_what_its_card_says(
    question: str, memories: list[Memory]
) -> None:
    given_ = AnswerInput(question, tuple(memories), now="2023-06-09T10:00:00")
    for part in ExtractiveReader().answer(given_, CASE).parts or ():
        assert not isinstance(part, Generated) or literal(part.text)


@pytest.mark.parametrize("text", ["a red bicycle", "7 May 2023 at noon", "yes", "", "2023 ", "May"])
def test_it_writes_nothing_else(text: str) -> None:
    assert not literal(text)


def test_a_reader_keeps_nothing_from_one_case_to_the_next() -> None:
    reader = ExtractiveReader()
    given_ = AnswerInput("What did Nora rent at Lake Mirel?", (memory("t1"),))
    first = reader.answer(given_, CASE)
    other = {"t1": turn("t1", "Nora", "We sold a blue tent at Lake Mirel.")}
    reader.answer(AnswerInput("What was sold?", (Memory(other["t1"].text, ("t1",)),)), other)
    assert reader.answer(given_, CASE) == first


def test_parts_that_point_nowhere_are_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        resolve([TextSpan(0, 5, turn="unknown")], CASE, [])
    with pytest.raises(ValueError, match="outside"):
        resolve([TextSpan(0, 10_000, turn="t1")], CASE, [])


# --- how well ----------------------------------------------------------------------------------


def test_it_answers_our_dialogues_better_than_pasting() -> None:
    reader = ExtractiveReader()
    selected, pasted = [], []
    for example in dialogues(distractors=8, seed=2):
        answer = reader.answer(example.given, example.turns).text
        selected.append(token_f1(answer, example.gold or ""))
        pasted.append(token_f1(example.given.memories[0].text, example.gold or ""))
    assert fmean(selected) > 0.5 > 3 * fmean(pasted)
