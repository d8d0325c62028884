"""What a card calls a system is what the system does: seen from outside, over a long history."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from native import playing

from membench.adapters.card import SystemCard
from membench.adapters.registry import SYSTEMS, list_systems
from membench.domain.case import Ask, Ingest
from membench.domain.labels import Role
from membench.domain.system import Query
from membench.testing import profile
from membench.testing.trial import Trial, play

pytestmark = pytest.mark.slow

TURNS = 200
"""More than any prompt of a retrieval holds."""


def _written_here() -> list[SystemCard]:
    """Systems of this house that call a language model, at their defaults."""
    return [
        card
        for card in list_systems().values()
        if SYSTEMS in card.folder.parents
        and Role.MEMORY in card.default_roles
        and "reply_counts" in card.capabilities
    ]


CARDS = _written_here()
NAMES = [card.name for card in CARDS]


HISTORY = profile.history(TURNS)
ASK = next(event for event in HISTORY.timeline if isinstance(event, Ask))
CASE = replace(
    HISTORY,
    timeline=(*(event for event in HISTORY.timeline if not isinstance(event, Ask)), ASK),
)
QUESTION = ASK.question.text
SESSIONS = [event.session for event in CASE.timeline if isinstance(event, Ingest)]
SESSION_OF = {turn.id: session.id for session in SESSIONS for turn in session.turns}


@cache
def _trial(name: str) -> Trial:
    return play(list_systems()[name], CASE, width=64)


def _shown_with_the_question(trial: Trial) -> int:
    """Turns whose words the model was given together with the question."""
    prompts = [asked.text for asked in trial.requests if QUESTION in asked.text]
    turns = [turn for session in SESSIONS for turn in session.turns]
    return sum(any(turn.text in prompt for prompt in prompts) for turn in turns)


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_a_blind_system_is_not_read_the_whole_history_with_the_question(card: SystemCard) -> None:
    """One whose model sees every turn beside the question is `question-aware` or `answer-only`."""
    everything = _shown_with_the_question(_trial(card.name)) == TURNS
    assert everything == (card.protocol in ("question-aware", "answer-only"))


@pytest.mark.parametrize("card", CARDS, ids=NAMES)
def test_a_memory_is_of_what_the_card_says(card: SystemCard) -> None:
    """One turn where memories are turns, one session where they are sessions."""
    (recalled,) = _trial(card.name).recalled
    for memory in recalled:
        if card.granularity == "turn":
            assert len(memory.sources) <= 1
        if card.granularity == "session":
            assert len({SESSION_OF[source] for source in memory.sources}) <= 1


@pytest.mark.parametrize(
    "name", [c.name for c in CARDS if {"mutates_on_recall", "snapshot"} <= c.capabilities]
)
def test_a_system_that_says_it_changes_when_it_recalls_does(name: str, tmp_path: Path) -> None:
    """Otherwise it is saved and put back before each question for nothing."""
    before, after = tmp_path / "before", tmp_path / "after"
    with playing(name, tmp_path) as (system, _):
        for session in SESSIONS:
            system.ingest(session)
        for folder in (before, after):
            folder.mkdir()
            system.snapshot(folder)
            system.recall(Query(QUESTION, 10))
    files = [path.relative_to(before) for path in before.rglob("*") if path.is_file()]
    assert any((before / file).read_bytes() != (after / file).read_bytes() for file in files)
