"""Reading a BEAM chat into a case: batches are sessions, then every question.

A system may see roles, contents without markers, the batches' dates, and numbered turn ids; then
the questions, in an order that does not tell their abilities. `question_type` and `index` of
messages and all that a question says besides its words never leave this module but as gold.

Messages are known by their position, because ids restart in some chats. A cited id that names
several messages supports none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.beam.gold import ABILITIES, ANSWER_FIELDS, BeamGold, BeamQuestion
from membench.tasks.beam.layouts import Chat
from membench.tasks.beam.markers import without_markers
from membench.tasks.files.node import Node

NAME = "beam"
DATE, DATE_EXAMPLE = "%B-%d-%Y", "March-15-2024"
PLAN = "plan-"


def read_case(chat: Chat, opaque: Callable[[str], str]) -> tuple[Case, BeamGold]:
    """One chat as a public case and its gold.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    history = History()
    for batch in batches(chat.messages):
        history.read(batch)
    if not history.sessions:
        raise chat.messages.error("the chat has no message")
    asked = sorted(
        read_questions(chat, history.turn_ids()), key=lambda pair: opaque(pair[1].question_id)
    )
    if not asked:
        raise chat.questions.error("the chat has no question")
    now = next((s.time for s in reversed(history.sessions) if s.time is not None), None)
    timeline: list[Event] = [*map(Ingest, history.sessions), Finalize()]
    first = len(timeline)
    timeline += [Ask(Question(words, now)) for words, _ in asked]
    questions = {first + i: question for i, (_, question) in enumerate(asked)}
    gold = BeamGold(
        chat.case_id, questions, history.turn_ids(), markers=history.markers, blank=history.blank
    )
    return Case(opaque(chat.case_id), NAME, tuple(timeline)), gold


# --- messages ----------------------------------------------------------------------------------


def batches(chat: Node) -> Iterator[Node]:
    """The batches of a chat in order, through plans where it has any.

    A batch is an object with `turns` in the repository and a bare list of messages on the hub. A
    plan is an object with one member `plan-<i>` (on the hub the others are null).
    """
    for part in chat.items():
        if not isinstance(part.value, dict):
            yield part
            continue
        plans = [key for key, value in part.value.items() if key.startswith(PLAN) and value]
        if not plans:
            yield part["turns"]
        for key in plans:
            yield from batches(part[key])


def messages(batch: Node) -> Iterator[Node]:
    """The messages of a batch: listed in turns, or bare."""
    for item in batch.items():
        if isinstance(item.value, list):
            yield from messages(item)
        else:
            yield item


@dataclass
class History:
    """Reads the batches of one chat.

    Attributes:
        sessions: What was read, in order.
        positions: Message id of the file -> public turn ids; more than one where ids restart.
        count: How many messages were read.
        markers: Markers that were taken out.
        blank: Messages that say nothing.
    """

    sessions: list[Session] = field(default_factory=list)
    positions: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    markers: int = 0
    blank: int = 0

    def read(self, batch: Node) -> None:
        """One batch as a session, unless it is empty."""
        turns: list[Turn] = []
        time: datetime | None = None
        for message in messages(batch):
            if time is None and (anchor := message.get("time_anchor")) is not None:
                time = anchor.date(DATE, DATE_EXAMPLE)
            turn = self.turn(message)
            turns += [turn] if turn is not None else []
        if turns:
            index = len(self.sessions)
            self.sessions.append(Session(f"b{index}", index, tuple(turns), time))

    def turn(self, message: Node) -> Turn | None:
        """One message by its position in the chat; None if it says nothing."""
        content, found = without_markers(message["content"].string())
        self.markers += found
        role = message["role"].one_of(("user", "assistant"))
        name = f"m{self.count}"
        self.count += 1
        self.positions.setdefault(str(message["id"].integer()), []).append(name)
        if not content.strip():
            self.blank += 1
            return None
        return Turn(name, role, "user" if role == "user" else "assistant", content, content)

    def turn_ids(self) -> dict[str, str]:
        """Official id -> public id, for ids that name one message."""
        return {name: found[0] for name, found in self.positions.items() if len(found) == 1}


# --- questions ---------------------------------------------------------------------------------


def read_questions(chat: Chat, turns: Mapping[str, str]) -> Iterator[tuple[str, BeamQuestion]]:
    """The words of every question, and its gold."""
    for ability in chat.questions.object():
        if ability not in ABILITIES:
            raise chat.questions.error(f"'{ability[:40]}' is none of {', '.join(ABILITIES)}")
        for index, node in enumerate(chat.questions[ability].items()):
            name = f"{chat.case_id}/{ability}/{index}"
            yield node["question"].text(), read_question(node, name, ability, turns)


def read_question(node: Node, name: str, ability: str, turns: Mapping[str, str]) -> BeamQuestion:
    """The gold of one question."""
    cited = list(dict.fromkeys(cited_ids(node.get("source_chat_ids"))))
    answer = node.get(ANSWER_FIELDS.get(ability, "answer"))
    return BeamQuestion(
        question_id=name,
        category=ability,
        evidence=tuple(turns[i] for i in cited if i in turns),
        answer=answer.answer() if answer is not None else None,
        rubric=read_rubric(node["rubric"]),
        unmatched=tuple(i for i in cited if i not in turns),
    )


def read_rubric(node: Node) -> tuple[str, ...]:
    """The items of a rubric; a single string is one item."""
    items = [node] if isinstance(node.value, str) else list(node.items())
    if not items:
        raise node.error("expected at least one item")
    return tuple(item.text() for item in items)


def cited_ids(node: Node | None) -> Sequence[str]:
    """The message ids of `source_chat_ids`: a list or an object of lists, some of them nested."""
    if node is None:
        return []
    if isinstance(node.value, dict):
        parts = [node.get(key) for key in node.value]
    elif isinstance(node.value, list):
        parts = list(node.items())
    else:
        return [node.answer()]
    return [i for part in parts for i in cited_ids(part)]
