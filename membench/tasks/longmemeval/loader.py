"""Reading LongMemEval's instances into cases, one at a time: the files go up to 2.7 GB.

A system may see roles, contents, session dates, and opaque session keys; then the question and
its date. Official session ids tell the evidence by the word `answer` in them, question ids tell
abstentions by their suffix, and `has_answer` marks the very turns: none of them leaves this
module but as gold.

Speed matters here: hundreds of thousands of turns are read, so a turn is looked at through
`Node`, which can say where it stands, only once something is wrong with it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from membench.harness.errors import DataError
from membench.harness.model import Ask, Case, Event, Finalize, Ingest, Question, Session, Turn
from membench.tasks.longmemeval.gold import (
    ABSTENTION,
    TYPES,
    LongMemEvalGold,
    LongMemEvalQuestion,
)
from membench.tasks.schema import Node

DATE = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) \((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\) (\d\d):(\d\d)", re.ASCII
)
DATE_EXAMPLE = "2023/05/30 (Tue) 23:40"
HAYSTACK = ("haystack_dates", "haystack_session_ids", "haystack_sessions")
ROLES = ("user", "assistant")


def read_case(
    node: Node, opaque: Callable[[str], str], disputed: frozenset[str] | None
) -> tuple[Case, LongMemEvalGold]:
    """One instance as a public case and its gold.

    Args:
        node: The instance.
        opaque: Official id -> opaque id.
        disputed: Ids of questions whose answer is disputed; None without such a list.

    Raises:
        DataError: A field is missing or of the wrong kind; names its place.
    """
    question_id = node["question_id"].text()
    history = History(lambda session: opaque(f"{question_id}/{session}"))
    sessions = history.read(node)
    node["answer_session_ids"].strings()
    question = LongMemEvalQuestion(
        question_id=question_id,
        category=read_type(node["question_type"]),
        evidence=tuple(history.marked),
        answer=node["answer"].answer(),
        abstention=question_id.endswith(ABSTENTION),
        disputed=disputed is not None and question_id in disputed,
    )
    asked = Ask(Question(node["question"].text(), question_date(node["question_date"])))
    timeline: tuple[Event, ...] = (*map(Ingest, sessions), Finalize(), asked)
    gold = LongMemEvalGold(
        case_id=question_id,
        questions={len(timeline) - 1: question},
        turn_ids=OfficialIds(history.official, history.sessions),
        blank_turns=history.blank,
        audited=disputed is not None,
    )
    return Case(opaque(question_id), "longmemeval", timeline), gold


def read_type(node: Node) -> str:
    """One of the six question types."""
    name = node.string()
    if name not in TYPES:
        raise node.error(f"expected one of {', '.join(TYPES)}, found '{name[:40]}'")
    return name


def question_date(node: Node) -> datetime | None:
    """The date of the question; files cut down by others may lack one."""
    return None if node.value is None else read_date(node)


def read_date(node: Node) -> datetime:
    """A date of the dataset, without a time zone."""
    match = DATE.fullmatch(node.string())
    try:
        if match is None:
            raise ValueError
        return datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # five integers
    except ValueError:
        found = node.value[:40]
        raise node.error(
            f"expected a date like '2023/05/30 (Tue) 23:40', found '{found}'"
        ) from None


@dataclass
class History:
    """Reads the haystack of one instance.

    Attributes:
        opaque: Session id -> opaque key, of this instance.
        marked: Public ids of turns with `has_answer`, in order of time.
        official: Official session id by public key; a repeated one has `-2` and so on.
        blank: Turns skipped because they are blank.
        sessions: What was read, in order.
    """

    opaque: Callable[[str], str]
    marked: list[str] = field(default_factory=list)
    official: dict[str, str] = field(default_factory=dict)
    blank: int = 0
    sessions: list[Session] = field(default_factory=list)

    def read(self, node: Node) -> list[Session]:
        """Sessions by date, those of one date in file order; without the empty ones."""
        dates, ids, haystack = (list(node[name].items()) for name in HAYSTACK)
        if not len(dates) == len(ids) == len(haystack):
            lengths = f"{len(dates)}, {len(ids)} and {len(haystack)}"
            raise node.error(f"{', '.join(HAYSTACK)} should be equally long, found {lengths}")
        times = [read_date(date) for date in dates]
        keys = self.session_keys(ids)
        for position in sorted(range(len(times)), key=times.__getitem__):
            turns = self.turns(haystack[position], keys[position])
            if turns:
                index = len(self.sessions)
                self.sessions.append(Session(keys[position], index, turns, times[position]))
        return self.sessions

    def session_keys(self, ids: Sequence[Node]) -> list[str]:
        """A public key for each session; repeated ids get keys of their own."""
        repeats: Counter[str] = Counter()
        keys = []
        for node in ids:
            name = node.text()
            repeats[name] += 1
            suffix = f"-{repeats[name]}" if repeats[name] > 1 else ""
            keys.append(self.opaque(name) + suffix)
            self.official[keys[-1]] = name + suffix
        return keys

    def turns(self, node: Node, key: str) -> tuple[Turn, ...]:
        """The turns of a session that say something."""
        if type(node.value) is not list:
            raise node.error("expected a list of turns")
        turns = []
        for index, turn in enumerate(node.value):
            if not plain(turn):
                raise wrong_turn(Node(turn, node.file, f"{node.place}[{index}]"))
            content, role = turn["content"], turn["role"]
            if not content or content.isspace():
                self.blank += 1
                continue
            name = f"{key}_{index + 1}"
            turns.append(Turn(name, role, role, content, content))
            if turn.get("has_answer"):
                self.marked.append(name)
        return tuple(turns)


def plain(turn: Any) -> bool:
    """Whether a turn is as it should be; fast."""
    return (
        type(turn) is dict
        and type(turn.get("content")) is str
        and turn.get("role") in ROLES
        and type(turn.get("has_answer", False)) is bool
    )


def wrong_turn(node: Node) -> DataError:
    """What is wrong with a turn."""
    try:
        node["content"].string()
        if (mark := node.get("has_answer")) is not None:
            mark.boolean()
        role = node["role"].string()
    except DataError as error:
        return error
    return node["role"].error(f"expected user or assistant, found '{role[:40]}'")


class OfficialIds(Mapping[str, str]):
    """Official turn id -> public turn id, made when first asked for.

    Official ids are the session id, `_`, and the position among all turns, from 1. A turn without
    the mark is indexed officially with `noans` for `answer` in its session id; that spelling is
    known, too. A repeated session has `-2` and so on after its id.
    """

    def __init__(self, names: Mapping[str, str], sessions: Sequence[Session]) -> None:
        """Keep what is needed to make them: official session id by key, and the sessions."""
        self._names = names
        self._sessions = sessions
        self._ids: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._ids is None:
            self._ids = {}
            for session in self._sessions:
                name = self._names[session.id]
                for turn in session.turns:
                    number = turn.id.rpartition("_")[2]
                    self._ids[f"{name}_{number}"] = turn.id
                    self._ids[f"{name.replace('answer', 'noans')}_{number}"] = turn.id
        return self._ids

    def __getitem__(self, official: str) -> str:
        return self._all()[official]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
