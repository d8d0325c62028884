"""From an entry of ConvoMem to a case: conversations are sessions, then its questions.

A system may see who speaks and what is said. Which conversation holds evidence
(`containsEvidence`), the evidence, the kind and the ids of conversations stay outside.
There are no dates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.convomem.gold import ABSTENTION, FOLDERS, ConvoMemGold, ConvoMemQuestion
from membench.tasks.convomem.layouts import Entry
from membench.tasks.files.node import Node

NAME = "convomem"


def read_case(entry: Entry, opaque: Callable[[str], str]) -> tuple[Case, ConvoMemGold]:
    """One history as a public case and its gold.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    sessions = list(read_sessions(entry.conversations))
    if not sessions:
        raise entry.conversations.error("the history has no message")
    if not entry.items:
        raise entry.conversations.error("the history has no question")
    said = words_of(sessions)
    timeline: list[Event] = [*map(Ingest, sessions), Finalize()]
    questions: dict[int, ConvoMemQuestion] = {}
    for index, item in enumerate(entry.items):
        questions[len(timeline)] = read_question(
            item, f"{entry.name}/q{index}", FOLDERS[entry.kind], said
        )
        timeline.append(Ask(Question(item["question"].text())))
    turns = {turn.id: turn.id for session in sessions for turn in session.turns}
    gold = ConvoMemGold(entry.name, questions, turns, conversations=len(sessions))
    return Case(opaque(entry.name), NAME, tuple(timeline)), gold


def read_sessions(conversations: Node) -> Iterator[Session]:
    """The conversations that say something, in order."""
    index = 0
    for conversation in conversations.items():
        turns = tuple(
            read_turn(message, f"c{index}:{number}")
            for number, message in enumerate(conversation["messages"].items())
            if message["text"].string().strip()
        )
        if turns:
            yield Session(f"c{index}", index, turns)
            index += 1


def read_turn(message: Node, name: str) -> Turn:
    """One message; the case of speakers varies in the files."""
    text = message["text"].string()
    speaker = message["speaker"].text().strip().lower()
    if speaker not in ("user", "assistant"):
        raise message["speaker"].error(f"expected user or assistant, found '{speaker[:40]}'")
    return Turn(name, speaker, "user" if speaker == "user" else "assistant", text, text)


def words_of(sessions: list[Session]) -> dict[tuple[str, str], str]:
    """The first turn in which somebody says something, by speaker and words."""
    said: dict[tuple[str, str], str] = {}
    for session in sessions:
        for turn in session.turns:
            said.setdefault((turn.role, plain(turn.text)), turn.id)
    return said


def plain(text: str) -> str:
    """Words in lower case with single spaces."""
    return " ".join(text.lower().split())


def read_question(
    item: Node, name: str, category: str, said: Mapping[tuple[str, str], str]
) -> ConvoMemQuestion:
    """The gold of one question; where nothing was said that answers it, it has no evidence."""
    cited = list(item["message_evidences"].items())
    found = [
        said.get((message["speaker"].text().strip().lower(), plain(message["text"].string())))
        for message in cited
    ]
    matched = tuple(dict.fromkeys(turn for turn in found if turn is not None))
    return ConvoMemQuestion(
        question_id=name,
        category=category,
        evidence=() if category == ABSTENTION else matched,
        answer=item["answer"].answer(),
        messages=len(cited),
        unmatched=sum(turn is None for turn in found),
    )
