"""Hindsight without a language model: which turns a chunk of a session was cut from."""

from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.systems.packages.hindsight.adapter import turns_within
from membench.domain.case import Session, Turn


def session_of(*words: str) -> Session:
    turns = (Turn(f"t{n}", "Ana", "user", text, f"Ana: {text}") for n, text in enumerate(words))
    return Session("s", 0, tuple(turns))


SESSION = session_of("I keep bees.", "  ", "Two hives\nby the shed.", "The van is sold.")


def test_a_chunk_names_the_turns_that_it_cuts_through() -> None:
    assert turns_within(SESSION, "bees.\nAna: Two hives") == ("t0", "t2")
    assert turns_within(SESSION, "by the shed.") == ("t2",)


def test_a_line_end_at_its_edge_names_no_turn() -> None:
    assert turns_within(SESSION, "\nAna: The van") == ("t3",)


def test_what_is_not_of_the_session_names_nothing() -> None:
    assert turns_within(SESSION, "a goat") == ()


def test_facts_of_a_model_name_the_whole_session() -> None:
    assert turns_within(SESSION, None) == ("t0", "t1", "t2", "t3")


@given(st.lists(st.text("ab \n", min_size=1), min_size=1, max_size=6), st.data())
def test_chunks_that_cover_a_session_name_every_turn_with_words(
    words: list[str], data: st.DataObject
) -> None:
    numbered = [f"{number}{text}" for number, text in enumerate(words)]
    session = session_of(*numbered)
    document = "\n".join(f"Ana: {text}" for text in numbered)
    cut = data.draw(st.integers(1, len(document)))
    parts = [document[:cut], document[cut:]]
    if any(document.count(part) != 1 for part in parts):
        return
    named = {turn for part in parts for turn in turns_within(session, part)}
    assert named == {turn.id for turn in session.turns}
