"""HaluMem's file as cases: one JSON line per user, read one user at a time.

The timeline of a user, for each session in file order (Long is not chronological):

1. `Ingest(session)`;
2. `Finalize`: time for sleep-time work after every session, generated ones included, so that a
   system that works in its sleep is as ready for the probes as one that works while ingesting, and
   no session stands out. What a session's Ingest and its Finalize changed is its extraction;
3. for each changed fact, `Probe(gold text, k=10)`: the one place where gold text crosses into a
   lane, by protocol;
4. for each question of the session, `Ask(question, k=20)`, before any later session.

Generated sessions have only the first two.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from membench.domain.case import Ask, Case, Event, Finalize, Ingest, Probe, Question, Session, Turn
from membench.domain.errors import DataError
from membench.domain.score import Gold, QuestionGold
from membench.tasks.files.jsonl import json_lines
from membench.tasks.files.node import Node
from membench.tasks.files.source import Source

TASK_NAME = "halumem"
PROBE_K = 10
ASK_K = 20

MEMORY_TYPES = ("Persona Memory", "Event Memory", "Relationship Memory")
QUESTION_TYPES = (
    "Basic Fact Recall",
    "Multi-hop Inference",
    "Dynamic Update",
    "Memory Boundary",
    "Memory Conflict",
    "Generalization & Application",
)
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
TIME = re.compile(r"(\w{3}) (\d{1,2}), (\d{4}), (\d{2}):(\d{2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class MemoryPoint:
    """One gold memory point of a session.

    Attributes:
        id: `<uuid>/s<session>/p<index>`, the index counted from 0 in the session's list.
        text: What a system should have stored; for a distractor, what it should not.
        memory_type: Persona, Event or Relationship Memory.
        interference: Whether it is a distractor voiced by the assistant.
        importance: Its weight in weighted recall.
        originals: The texts it replaces; empty for a point that is no update.
        probe: Index of its update probe in the timeline, None for a point that is no update.
    """

    id: str
    text: str
    memory_type: str
    interference: bool
    importance: float
    originals: tuple[str, ...] = ()
    probe: int | None = None


@dataclass(frozen=True, slots=True)
class SessionGold:
    """The private side of one session.

    Attributes:
        id: `<uuid>/s<index>`.
        ingest: Index of its `Ingest`; its `Finalize` is the event after.
        generated: Whether its rounds are filler (Long): played, never scored.
        points: Gold memory points in file order.
    """

    id: str
    ingest: int
    generated: bool
    points: tuple[MemoryPoint, ...]


@dataclass(frozen=True)
class HaluMemQuestion(QuestionGold):
    """The private side of a question.

    Attributes:
        difficulty: easy, medium or hard.
        evidence_texts: Gold points it rests on; empty exactly for Memory Boundary.
        evidence_sessions: Public ids of the sessions they were stated in: per text the latest one
            up to the question. None where the file does not hold them (a partial one).
    """

    difficulty: str = ""
    evidence_texts: tuple[str, ...] = ()
    evidence_sessions: tuple[str, ...] | None = ()


@dataclass(frozen=True)
class HaluMemGold(Gold):
    """The private side of a user.

    Attributes:
        questions: By event index of the `Ask`.
        sessions: In file order.
        partial: Whether the file holds fewer questions than the user has.
    """

    questions: Mapping[int, HaluMemQuestion]
    sessions: tuple[SessionGold, ...] = ()
    partial: bool = False


def users(source: Source, opaque: Callable[[str], str]) -> Iterator[tuple[Case, HaluMemGold]]:
    """Stream the users of a file.

    Raises:
        DataError: A line is not a user as published; names line, place and problem.
    """
    seen: set[str] = set()
    for line in json_lines(source.path):
        uuid = line["uuid"]
        if uuid.text() in seen:
            raise uuid.error(f"user {uuid.text()} stands in the file twice")
        seen.add(uuid.text())
        yield UserReader(line, opaque).read()
    if not seen:
        raise DataError(source.path, "", "the file holds no user")


# --- one user ------------------------------------------------------------------------------------


@dataclass
class UserReader:
    """Turns one line into a case and its gold; the lists grow as the timeline does."""

    line: Node
    opaque: Callable[[str], str]
    timeline: list[Event] = field(default_factory=list)
    sessions: list[SessionGold] = field(default_factory=list)
    questions: dict[int, HaluMemQuestion] = field(default_factory=dict)
    turn_ids: dict[str, str] = field(default_factory=dict)
    stated: dict[str, str] = field(default_factory=dict)
    """Text of each point so far -> public id of the latest session that states it."""

    def read(self) -> tuple[Case, HaluMemGold]:
        """The case and its gold."""
        uuid = self.line["uuid"].text()
        for index, node in enumerate(self.line["sessions"].items()):
            self.add_session(f"{uuid}/s{index}", index, node)
        case = Case(self.opaque(uuid), TASK_NAME, tuple(self.timeline))
        return case, HaluMemGold(
            case_id=uuid,
            questions=self.questions,
            turn_ids=self.turn_ids,
            event_ids=self.event_ids(),
            sessions=tuple(self.sessions),
            partial=self.is_partial(),
        )

    def add_session(self, session_id: str, index: int, node: Node) -> None:
        """Ingest, finalize and, unless the session is generated, its probes and questions."""
        session = read_session(node, session_id, index, self.opaque(session_id))
        self.turn_ids |= {
            f"{session_id}/t{number}": turn.id for number, turn in enumerate(session.turns)
        }
        ingest = len(self.timeline)
        self.timeline += [Ingest(session), Finalize()]
        generated = is_generated(node)
        points = () if generated else self.add_probes(session, session_id, node)
        self.sessions.append(SessionGold(session_id, ingest, generated, points))
        self.stated |= {point.text: session.id for point in points}
        if not generated:
            self.add_questions(session, session_id, node)

    def add_probes(self, session: Session, session_id: str, node: Node) -> tuple[MemoryPoint, ...]:
        """The session's points, each update with its place in the timeline."""
        points = []
        for number, item in enumerate(optional_items(node, "memory_points")):
            originals = read_originals(item)
            probe = len(self.timeline) if originals else None
            point = read_point(item, f"{session_id}/p{number}", originals, probe)
            if originals:
                self.timeline.append(Probe(point.text, k=PROBE_K, now=session.end_time))
            points.append(point)
        return tuple(points)

    def add_questions(self, session: Session, session_id: str, node: Node) -> None:
        """The session's questions, asked before any later session."""
        for number, item in enumerate(optional_items(node, "questions")):
            question = Question(item["question"].text(), now=session.end_time)
            gold = self.read_question(item, f"{session_id}/q{number}")
            self.questions[len(self.timeline)] = gold
            self.timeline.append(Ask(question, k=ASK_K))

    def read_question(self, item: Node, question_id: str) -> HaluMemQuestion:
        """The private side of one question."""
        texts = tuple(e["memory_content"].text() for e in item["evidence"].items())
        known = all(text in self.stated for text in texts)
        found = tuple(dict.fromkeys(self.stated[text] for text in texts)) if known else None
        return HaluMemQuestion(
            question_id=question_id,
            category=item["question_type"].one_of(QUESTION_TYPES),
            evidence=self.turns_of(found or ()),
            answer=item["answer"].text(),
            difficulty=item["difficulty"].text(),
            evidence_texts=texts,
            evidence_sessions=found,
        )

    def turns_of(self, sessions: Sequence[str]) -> tuple[str, ...]:
        """Every turn of the given sessions; HaluMem does not say which turn states a point."""
        return tuple(
            turn.id
            for event in self.timeline
            if isinstance(event, Ingest) and event.session.id in sessions
            for turn in event.session.turns
        )

    def event_ids(self) -> dict[str, int]:
        """Sessions and probes by published id."""
        probes = {p.id: p.probe for s in self.sessions for p in s.points if p.probe is not None}
        return {session.id: session.ingest for session in self.sessions} | probes

    def is_partial(self) -> bool:
        """Whether the user has more questions than the file holds."""
        total = self.line.get("total_question_count")
        return total is not None and total.number() > len(self.questions)


# --- the parts of a session ----------------------------------------------------------------------


def read_session(node: Node, session_id: str, index: int, public_id: str) -> Session:
    """The public side of a session: its dialogue and times.

    A recorded run (see `convert`) keeps neither start nor end; they are the first message's time
    and the time of the points, as in every published session.
    """
    turns = tuple(
        read_turn(message, f"{public_id}:{number}")
        for number, message in enumerate(node["dialogue"].items())
    )
    start = optional_time(node, "start_time")
    end = optional_time(node, "end_time") or points_time(node)
    first, last = (turns[0].time, turns[-1].time) if turns else (None, None)
    return Session(public_id, index, turns, time=start or first, end_time=end or last)


def read_turn(message: Node, turn_id: str) -> Turn:
    """One message; its rendering is the line the official accuracy judge reads."""
    speaker = message["role"].one_of(("user", "assistant"))
    content = message["content"].string()
    stamp = message["timestamp"]
    return Turn(
        id=turn_id,
        speaker=speaker,
        role="user" if speaker == "user" else "assistant",
        content=content,
        text=f"[{stamp.text()}]{speaker}: {content}",
        time=read_time(stamp),
    )


def read_point(
    item: Node, point_id: str, originals: tuple[str, ...], probe: int | None
) -> MemoryPoint:
    """One gold memory point."""
    return MemoryPoint(
        id=point_id,
        text=item["memory_content"].text(),
        memory_type=memory_type(item["memory_type"]),
        interference=item["memory_source"].text() == "interference",
        importance=item["importance"].number(),
        originals=originals,
        probe=probe,
    )


def read_originals(item: Node) -> tuple[str, ...]:
    """What an update replaces; empty for a point that is no update."""
    update = item["is_update"].one_of(("True", "False")) == "True"
    originals = item.get("original_memories")
    texts = originals.strings() if originals else ()
    if update != bool(texts):
        raise item.error("is_update and original_memories contradict each other")
    return texts


def memory_type(node: Node) -> str:
    """A memory type; some stand in square brackets."""
    stripped = Node(node.text().strip().strip("[]").strip(), node.file, node.place)
    return stripped.one_of(MEMORY_TYPES)


def is_generated(node: Node) -> bool:
    """Whether a session is filler of the Long split."""
    flag = node.get("is_generated_qa_session")
    return flag is not None and flag.boolean()


def optional_items(node: Node, key: str) -> Iterator[Node]:
    """The elements under a key that a session may lack."""
    found = node.get(key)
    return found.items() if found else iter(())


def optional_time(node: Node, key: str) -> datetime | None:
    """The time under a key that a session may lack."""
    found = node.get(key)
    return read_time(found) if found else None


def points_time(node: Node) -> datetime | None:
    """The time of a session's points, which is its end."""
    times = [item["timestamp"] for item in optional_items(node, "memory_points")]
    return read_time(times[0]) if times else None


def read_time(node: Node) -> datetime:
    """A time as HaluMem writes it (`Sep 04, 2025, 18:42:18`), whatever the locale."""
    match = TIME.fullmatch(node.text().strip())
    if match is None or match[1] not in MONTHS:
        raise node.error(f"'{node.text()[:40]}' is not a time like 'Sep 04, 2025, 18:42:18'")
    day, year, hour, minute, second = map(int, match.groups()[1:])
    try:
        return datetime(year, MONTHS.index(match[1]) + 1, day, hour, minute, second)
    except ValueError as error:
        raise node.error(f"'{node.text()}' is not a time ({error})") from None


def session_of_turn(case: Case) -> Mapping[str, str]:
    """Public turn id -> public session id."""
    return {
        turn.id: event.session.id
        for event in case.timeline
        if isinstance(event, Ingest)
        for turn in event.session.turns
    }
