"""Writing a case: sessions out of statements and small talk, then questions, then gold."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.generation.draws import Draws
from membench.tasks.generation.templates import render, sentence
from membench.tasks.synthetic.gold import SyntheticGold
from membench.tasks.synthetic.history import History, Place, Statement
from membench.tasks.synthetic.points import points_by_session, points_kept
from membench.tasks.synthetic.questions import ask_about
from membench.tasks.synthetic.recipe import GENERATOR, Recipe
from membench.tasks.synthetic.texts import read_texts

START = datetime(2023, 1, 9, 9)
SESSION_TOKENS = 440
"""Tokens of a session on average; none has more than 600 (tested)."""

STATEMENTS = 3
"""Statements per session, distractors among them."""

TALK = (5, 6)
"""Exchanges of small talk per session."""

GAP_DAYS = (1, 3)
HOURS = (8, 20)
WITH_REQUEST = 0.5
"""Share of statements that are followed by a request about something else."""


Topic = dict[str, list[str]]


@dataclass(frozen=True)
class Rates:
    """What the task's options say.

    Attributes:
        seed: Seed of the histories.
        update_rate: See `History`.
        distractor_ratio: See `History`.
    """

    seed: int
    update_rate: float
    distractor_ratio: float


def make_case(
    recipe: Recipe, rates: Rates, index: int, opaque: Callable[[str], str]
) -> tuple[Case, SyntheticGold]:
    """The case of an index, with its gold.

    A history does not depend on its length: a longer one begins as the shorter one does.
    """
    name = f"{rates.seed}-{index}"
    seed = f"synthetic/{GENERATOR}/{name}/{rates.update_rate!r}/{rates.distractor_ratio!r}"
    writer = Writer(Draws(seed), rates)
    number = max(2, round(recipe.tokens / SESSION_TOKENS))
    sessions = [writer.session(i) for i in range(number)]
    asked = ask_about(writer.history, Draws(f"{seed}/questions"), recipe.questions)
    now = writer.time
    timeline: list[Event] = [*(Ingest(session) for session in sessions), Finalize()]
    first = len(timeline)
    timeline += [Ask(Question(question.text, now)) for question in asked]
    case = Case(opaque(name), "synthetic", tuple(timeline))
    gold = SyntheticGold(
        case_id=name,
        questions={
            first + i: replace(question.gold, question_id=f"{name}/q{i}")
            for i, question in enumerate(asked)
        },
        turn_ids={turn.id: turn.id for session in sessions for turn in session.turns},
        points=points_by_session(writer.history),
        kept=points_kept(writer.history),
    )
    return case, gold


class Writer:
    """Writes the sessions of one case in order.

    Args:
        draws: The case's stream of draws.
        rates: Rates of updates and distractors.
    """

    def __init__(self, draws: Draws, rates: Rates) -> None:
        """Meet the user."""
        self.draws = draws
        self.history = History(draws, rates.update_rate, rates.distractor_ratio)
        self.user = draws.pick(read_texts("words")["listed"]["user"])
        self.time = START
        self.topics: list[Topic] = []
        self.talk = read_texts("small_talk")

    def session(self, number: int) -> Session:
        """The next session; `number` counts from 0."""
        turns = TurnList(f"S{number + 1}", self.user)
        turns.add(self.say("opening", user=self.user), self.say("greeting", user=self.user))
        began = self.time
        self.topics = self.draws.shuffled(self.talk["topic"])
        kinds = [True] * STATEMENTS + [False] * self.draws.between(*TALK)
        for is_statement in self.draws.shuffled(kinds):
            place = Place(number, began.date(), turns.next_id(0), turns.next_id(1))
            said = self.history.statement(place) if is_statement else None
            turns.add(*(self.with_statement(said) if said else self.small_talk("")))
        later = self.time + timedelta(days=self.draws.between(*GAP_DAYS))
        self.time = later.replace(hour=self.draws.between(*HOURS))
        return Session(f"S{number + 1}", number, tuple(turns.turns), began)

    def with_statement(self, said: Statement) -> tuple[str, str]:
        """A statement and what follows it."""
        text = sentence(f"{self.lead()}{said.text}" if said.lead else said.text)
        if said.reply is not None:
            return text, f"{said.reply} {self.say('recommended')}"
        if self.draws.chance(WITH_REQUEST):
            request, advice = self.small_talk(self.say("wonder"))
            return f"{text} {request}", advice
        return text, self.say("reaction")

    def lead(self) -> str:
        """A few words before a statement, or none."""
        words = self.draws.pick(self.talk["lead"])
        return f"{words} " if words else ""

    def small_talk(self, before: str) -> tuple[str, str]:
        """A request about nothing that matters, and advice."""
        topic = self.topics.pop()
        request = render(self.draws.pick(topic["ask"]), self.draws, {})
        advice = self.draws.shuffled(topic["advice"])[: self.draws.between(2, 3)]
        told = " ".join(render(line, self.draws, {}) for line in advice)
        return sentence(f"{before} {request}".strip()), told

    def say(self, kind: str, **fields: str) -> str:
        """One of the lines of a kind."""
        return render(self.draws.pick(self.talk[kind]), self.draws, fields)


class TurnList:
    """The turns of a session; ids say the session and the place, nothing else."""

    def __init__(self, session: str, user: str) -> None:
        """Begin a session."""
        self.session = session
        self.user = user
        self.turns: list[Turn] = []

    def next_id(self, ahead: int) -> str:
        """The id of the turn that comes after `ahead` others."""
        return f"{self.session}:{len(self.turns) + 1 + ahead}"

    def add(self, user: str, assistant: str) -> None:
        """Add what the user says and the reply."""
        said = f"{self.user}: {user}"
        self.turns.append(Turn(self.next_id(0), self.user, "user", user, said))
        replied = f"Assistant: {assistant}"
        self.turns.append(Turn(self.next_id(0), "Assistant", "assistant", assistant, replied))
