"""From a Mem-Gallery dialogue to a case: its sessions by date, then its questions.

A round is a turn of the user and one of the assistant. A picture is seen through its caption, which
stands in brackets behind the user's words; so is a question's. A system sees those words, who
speaks and the sessions' dates. The character's profile, points, answers, clues and the
names of picture files stay outside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.files.node import Node
from membench.tasks.memgallery.gold import POINTS, MemGalleryGold, MemGalleryQuestion

NAME = "memgallery"
QUESTIONS = "human-annotated QAs"
DATE_EXAMPLE = "2024-06-24"


@dataclass
class Rounds:
    """What is known of the rounds of a dialogue.

    Attributes:
        turns: Round -> ids of its turns.
        pictured: Rounds with a picture.
    """

    turns: dict[str, tuple[str, ...]] = field(default_factory=dict)
    pictured: set[str] = field(default_factory=set)


def read_case(node: Node, name: str, opaque: Callable[[str], str]) -> tuple[Case, MemGalleryGold]:
    """One dialogue as a public case and its gold.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    rounds = Rounds()
    sessions = read_sessions(node["multi_session_dialogues"], rounds)
    if not sessions:
        raise node["multi_session_dialogues"].error("the dialogue has no round")
    now = sessions[-1].time
    timeline: list[Event] = [*map(Ingest, sessions), Finalize()]
    questions: dict[int, MemGalleryQuestion] = {}
    for index, item in enumerate(node[QUESTIONS].items()):
        questions[len(timeline)] = read_question(item, f"{name}/q{index}", rounds)
        timeline.append(Ask(Question(question_words(item), now)))
    if not questions:
        raise node[QUESTIONS].error("the dialogue has no question")
    of_turn = {turn: name for name, turns in rounds.turns.items() for turn in turns}
    gold = MemGalleryGold(name, questions, {turn: turn for turn in of_turn}, rounds=of_turn)
    return Case(opaque(name), NAME, tuple(timeline)), gold


# --- sessions ----------------------------------------------------------------------------------


def read_sessions(node: Node, rounds: Rounds) -> list[Session]:
    """The sessions with at least one round, by date; those of one date in file order."""
    found: list[tuple[datetime, tuple[Turn, ...]]] = []
    for session in node.items():
        time = read_date(session["date"])
        turns = tuple(t for each in session["dialogues"].items() for t in read_round(each, rounds))
        found += [(time, turns)] if turns else []
    found.sort(key=lambda pair: pair[0])
    return [Session(f"s{i}", i, turns, time) for i, (time, turns) in enumerate(found)]


def read_date(node: Node) -> datetime:
    """A date, with or without a time of day; without a zone."""
    try:
        return datetime.fromisoformat(node.text().strip()).replace(tzinfo=None)
    except ValueError:
        text = node.text()[:40]
        raise node.error(f"expected a date like '{DATE_EXAMPLE}', found '{text}'") from None


def read_round(node: Node, rounds: Rounds) -> Iterator[Turn]:
    """The turns of a round that say something."""
    name = node["round"].answer()
    if name in rounds.turns:
        raise node["round"].error(f"'{name}' is already there")
    captions = texts(node.get("image_caption"))
    if captions or node.get("image_id") or node.get("input_image"):
        rounds.pictured.add(name)
    said: list[tuple[Literal["user", "assistant"], str]] = [
        ("user", with_captions(node["user"].string(), captions)),
        ("assistant", node["assistant"].string()),
    ]
    made = [
        Turn(f"{name}/{role}", role, role, words, words) for role, words in said if words.strip()
    ]
    rounds.turns[name] = tuple(turn.id for turn in made)
    yield from made


def with_captions(words: str, captions: tuple[str, ...]) -> str:
    """Words with the captions of their pictures."""
    return " ".join([words, *(f"[picture: {caption}]" for caption in captions)]).strip()


def texts(node: Node | None) -> tuple[str, ...]:
    """A list of texts, or a single one; blank ones are left out."""
    if node is None:
        return ()
    found = (node.value,) if isinstance(node.value, str) else node.strings()
    return tuple(text.strip() for text in found if text.strip())


# --- questions ---------------------------------------------------------------------------------


def question_words(item: Node) -> str:
    """What is asked, with the caption of its picture."""
    return with_captions(item["question"].text(), texts(item.get("image_caption")))


def read_question(item: Node, name: str, rounds: Rounds) -> MemGalleryQuestion:
    """The gold of one question."""
    cited = clues(item.get("clue"))
    known: Mapping[str, tuple[str, ...]] = rounds.turns
    pictured = item.get("question_image") is not None or not rounds.pictured.isdisjoint(cited)
    return MemGalleryQuestion(
        question_id=name,
        category=item["point"].one_of(tuple(POINTS)),
        evidence=tuple(turn for clue in cited for turn in known.get(clue, ())),
        answer=item["answer"].answer(),
        unmatched=tuple(clue for clue in cited if clue not in known),
        lossy=pictured,
    )


def clues(node: Node | None) -> tuple[str, ...]:
    """The rounds that a question cites: a list, or a single one."""
    if node is None:
        return ()
    items = list(node.items()) if isinstance(node.value, list) else [node]
    return tuple(dict.fromkeys(item.answer().strip() for item in items))
