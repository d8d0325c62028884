"""Reading LoCoMo's JSON into cases: every field that is used is checked, nothing else is trusted.

A system may see speakers, texts, captions, session order and dates, and turn ids. Answers,
evidence, categories, the observation, summary and event fields, and above all `query` (the
annotators' image search, from which some answers follow) never leave this module but as gold.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source, not_json, open_json, reading
from membench.tasks.locomo.gold import (
    ADVERSARIAL,
    CATEGORIES,
    LocomoGold,
    LocomoQuestion,
    repair,
)

DATE = "%I:%M %p on %d %B, %Y"
DATE_EXAMPLE = "4:05 pm on 3 March, 2024"
SESSION = re.compile(r"session_([1-9]\d*)")
TURN = re.compile(r"D([1-9]\d*):([1-9]\d*)")
UNUSED = ("observation", "session_summary", "event_summary")


def read_case(
    node: Node, opaque: Callable[[str], str], *, captions: bool
) -> tuple[Case, LocomoGold]:
    """One conversation as a public case and its gold.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    sample_id = node["sample_id"].text()
    for name in UNUSED:
        if (field := node.get(name)) is not None:
            field.object()
    sessions = read_sessions(node["conversation"], captions=captions)
    turns = {turn.id: turn.id for session in sessions for turn in session.turns}
    now = sessions[-1].time
    asked = [read_question(qa, sample_id, i, turns) for i, qa in enumerate(node["qa"].items())]
    timeline: list[Event] = [*(Ingest(session) for session in sessions), Finalize()]
    first = len(timeline)
    timeline += [Ask(Question(text, now)) for text, _ in asked]
    questions = {first + i: question for i, (_, question) in enumerate(asked)}
    case = Case(opaque(sample_id), "locomo", tuple(timeline))
    return case, LocomoGold(sample_id, questions, turns)


def read_sessions(node: Node, *, captions: bool) -> list[Session]:
    """Sessions in numeric order. Dates without a session are ignored, empty sessions skipped."""
    reader = TurnReader(
        (node["speaker_a"].text(), node["speaker_b"].text()), captions=captions, ids=set()
    )
    numbers = sorted(int(m[1]) for key in node.object() if (m := SESSION.fullmatch(key)))
    if numbers != list(range(1, len(numbers) + 1)):
        raise node.error(f"sessions should be numbered from 1 without a gap, found {numbers}")
    sessions: list[Session] = []
    for number in numbers:
        turns = tuple(reader.read(turn, number) for turn in node[f"session_{number}"].items())
        if turns:
            sessions.append(Session(f"D{number}", len(sessions), turns, session_time(node, number)))
    if not sessions:
        raise node.error("the conversation has no turn")
    return sessions


def session_time(node: Node, number: int) -> datetime:
    """The date of a session."""
    return node[f"session_{number}_date_time"].date(DATE, DATE_EXAMPLE)


@dataclass(frozen=True)
class TurnReader:
    """Reads the turns of one conversation.

    Attributes:
        speakers: The two of them; the first is the `user`.
        captions: Whether captions are part of the text.
        ids: Turn ids so far.
    """

    speakers: tuple[str, str]
    captions: bool
    ids: set[str]

    def read(self, node: Node, session: int) -> Turn:
        """One turn, rendered as the official unit."""
        speaker, text = node["speaker"].string(), node["text"].text()
        if speaker not in self.speakers:
            raise node["speaker"].error(f"expected one of {self.speakers}, found '{speaker[:40]}'")
        caption = read_caption(node) if self.captions else None
        check_private(node)
        return Turn(
            id=self.identify(node["dia_id"], session),
            speaker=speaker,
            role="user" if speaker == self.speakers[0] else "assistant",
            content=f"{text} [{caption}]" if caption else text,
            text=f'{speaker} said, "{text}"' + (f" and shared {caption}" if caption else ""),
        )

    def identify(self, node: Node, session: int) -> str:
        """The turn's id, new and of this session."""
        name = node.string()
        match = TURN.fullmatch(name)
        if match is None or int(match[1]) != session:
            raise node.error(f"expected an id like 'D{session}:1', found '{name[:40]}'")
        if name in self.ids:
            raise node.error(f"'{name}' is already there")
        self.ids.add(name)
        return name


def read_caption(node: Node) -> str | None:
    """The caption of a turn's image, if it has one."""
    caption = node.get("blip_caption")
    return caption.text() if caption is not None else None


def check_private(node: Node) -> None:
    """Check the fields of a turn that are never shown to anyone."""
    if (urls := node.get("img_url")) is not None:
        urls.strings()
    for name in ("query", "blip_caption"):
        if (words := node.get(name)) is not None:
            words.string()
    if (again := node.get("re-download")) is not None:
        again.boolean()


def read_question(
    node: Node, sample_id: str, index: int, turns: dict[str, str]
) -> tuple[str, LocomoQuestion]:
    """The words of a question, and its gold."""
    number = node["category"].integer()
    if number not in CATEGORIES:
        raise node["category"].error(f"expected a category from 1 to 5, found {number}")
    cited = node["evidence"].strings()
    evidence, unmatched = repair(cited, turns)
    adversarial = number == ADVERSARIAL
    return node["question"].text(), LocomoQuestion(
        question_id=f"{sample_id}/q{index}",
        category=CATEGORIES[number],
        evidence=evidence,
        answer=None if adversarial else node["answer"].answer(),
        number=number,
        cited=cited,
        unmatched=unmatched,
        trap=read_trap(node) if adversarial else None,
    )


def read_trap(node: Node) -> str | None:
    """The wrong answer of a category 5 question; copies in circulation keep it under `answer`.

    Only the official choice of two options shows it: scoring does not need it.
    """
    found = node.get("adversarial_answer") or node.get("answer")
    return None if found is None else found.answer()


def content_sha256(source: Source) -> str:
    """Hash of a file's content, whatever its layout: sorted keys, no spaces, non-ASCII kept.

    Raises:
        DataError: The file is not JSON.
    """
    with reading(source.path), open_json(source.path) as file:
        raw = file.read()
    try:
        text = json.dumps(
            json.loads(raw), sort_keys=True, separators=(",", ":"), ensure_ascii=False
        )
        return hashlib.sha256(text.encode()).hexdigest()
    except (ValueError, RecursionError) as error:
        raise not_json(source.path, raw, type(error).__name__) from error
