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
from functools import cache
from itertools import compress
from typing import Literal, NoReturn

from membench.domain.case import (
    Ask,
    Case,
    Event,
    Finalize,
    Ingest,
    Question,
    Session,
    Turn,
    turn_of,
)
from membench.domain.errors import DataError
from membench.tasks.files.node import Node
from membench.tasks.longmemeval.gold import (
    ABSTENTION,
    TYPES,
    LongMemEvalGold,
    LongMemEvalQuestion,
)

DATE = re.compile(
    r"(\d{4})/(\d\d)/(\d\d) \((?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\) (\d\d):(\d\d)", re.ASCII
)
DATE_EXAMPLE = "2023/05/30 (Tue) 23:40"
HAYSTACK = ("haystack_dates", "haystack_session_ids", "haystack_sessions")
Role = Literal["user", "assistant"]
ROLES = frozenset(("user", "assistant"))


def read_case(
    node: Node, opaque: Callable[[str], str], disputed: Mapping[str, str | None] | None
) -> tuple[Case, LongMemEvalGold]:
    """One instance as a public case and its gold.

    Args:
        node: The instance.
        opaque: Official id -> opaque id.
        disputed: Ids of questions whose answer is disputed, each with the answer that is claimed
            instead, if any; None without such a list.

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
        claim=disputed.get(question_id) if disputed is not None else None,
        blank_users=tuple(name for name, role in history.blanks if role == "user"),
    )
    asked = Ask(Question(node["question"].text(), question_date(node["question_date"])))
    timeline: tuple[Event, ...] = (*map(Ingest, sessions), Finalize(), asked)
    gold = LongMemEvalGold(
        case_id=question_id,
        questions={len(timeline) - 1: question},
        turn_ids=OfficialIds(
            history.official, history.sessions, [name for name, _ in history.blanks]
        ),
        blank_turns=len(history.blanks),
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
    return None if node.value is None else parsed_date(node.string()) or wrong_date(node)


def parsed_date(text: str) -> datetime | None:
    """A date of the dataset, without a time zone; None if it is none."""
    match = DATE.fullmatch(text)
    if match is None:
        return None
    try:
        return datetime(*map(int, match.groups()))  # type: ignore[arg-type]  # five integers
    except ValueError:
        return None


def wrong_date(node: Node) -> NoReturn:
    """Complain about a date."""
    raise node.error(f"expected a date like '{DATE_EXAMPLE}', found '{node.string()[:40]}'")


@dataclass
class History:
    """Reads the haystack of one instance.

    Attributes:
        opaque: Session id -> opaque key, of this instance.
        marked: Public ids of turns with `has_answer`, in order of time.
        official: Official session id by public key; a repeated one has `-2` and so on.
        blanks: Public id and role of every turn skipped because it is blank.
        sessions: What was read, in order.
    """

    opaque: Callable[[str], str]
    marked: list[str] = field(default_factory=list)
    official: dict[str, str] = field(default_factory=dict)
    blanks: list[tuple[str, Role]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)

    def read(self, node: Node) -> list[Session]:
        """Sessions by date, those of one date in file order; without the empty ones."""
        dates, ids, haystack = (node[name] for name in HAYSTACK)
        lengths = [len(column.list()) for column in (dates, ids, haystack)]
        if len(set(lengths)) > 1:
            found = ", ".join(map(str, lengths))
            raise node.error(f"{', '.join(HAYSTACK)} should be equally long, found {found}")
        times = session_times(dates)
        keys = self.session_keys(ids)
        for position in sorted(range(len(times)), key=times.__getitem__):
            turns = self.turns(haystack.at(position), keys[position])
            if turns:
                index = len(self.sessions)
                self.sessions.append(Session(keys[position], index, turns, times[position]))
        return self.sessions

    def session_keys(self, ids: Node) -> list[str]:
        """A public key for each session; repeated ids get keys of their own."""
        repeats: Counter[str] = Counter()
        keys = []
        for position, name in enumerate(ids.list()):
            if type(name) is not str or not name.strip():
                ids.at(position).text()
            repeats[name] += 1
            suffix = f"-{repeats[name]}" if repeats[name] > 1 else ""
            key = self.opaque(name) + suffix
            keys.append(key)
            self.official[key] = name + suffix
        return keys

    def turns(self, node: Node, key: str) -> tuple[Turn, ...]:
        """The turns of a session that say something."""
        contents, roles, marks = checked_turns(node)
        names = list(map(key.__add__, numbers(len(contents))))
        if not all(contents) or any(map(str.isspace, contents)):
            said = [i for i, content in enumerate(contents) if content.strip()]
            silent = sorted(set(range(len(contents))) - set(said))
            self.blanks += [(names[i], roles[i]) for i in silent]
            names = [names[i] for i in said]
            contents = [contents[i] for i in said]
            roles = [roles[i] for i in said]
            marks = [marks[i] for i in said] if marks else marks
        if True in marks:
            self.marked += compress(names, marks)
        return tuple(map(turn_of, names, roles, roles, contents, contents))


def session_times(dates: Node) -> list[datetime]:
    """The dates of the sessions."""
    return [
        (parsed_date(text) if type(text) is str else None) or wrong_date(dates.at(position))
        for position, text in enumerate(dates.list())
    ]


@cache
def numbers(count: int) -> tuple[str, ...]:
    """What follows the session key in turn ids: `_1`, `_2`, ..."""
    return tuple(f"_{number}" for number in range(1, count + 1))


Columns = tuple[Sequence[str], Sequence[Role], Sequence[bool]]


def checked_turns(node: Node) -> Columns:
    """Contents, roles and marks of a session's turns, checked all at once; marks may be empty."""
    turns = node.value
    if type(turns) is not list:
        raise node.error("expected a list of turns")
    try:
        contents = [turn["content"] for turn in turns]
        roles = [turn["role"] for turn in turns]
        bare = set(map(len, turns)) <= {2}  # role and content, nothing else
        marks = (
            []
            if bare
            else [False if turn.get("has_answer") is None else turn["has_answer"] for turn in turns]
        )
        if (
            set(map(type, contents)) <= {str}
            and ROLES.issuperset(roles)
            and set(map(type, marks)) <= {bool}
        ):
            return contents, roles, marks
    except (TypeError, KeyError, AttributeError):
        pass
    raise next(problem for turn in node.items() if (problem := wrong_turn(turn)))


def wrong_turn(node: Node) -> DataError | None:
    """What is wrong with a turn, if anything."""
    try:
        node["content"].string()
        if (mark := node.get("has_answer")) is not None:
            mark.boolean()
        role = node["role"].string()
    except DataError as error:
        return error
    if role in ROLES:
        return None
    return node["role"].error(f"expected user or assistant, found '{role[:40]}'")


class OfficialIds(Mapping[str, str]):
    """Official turn id -> public turn id, made when first asked for.

    Official ids are the session id, `_`, and the position among all turns, from 1. A turn without
    the mark is indexed officially with `noans` for `answer` in its session id; that spelling is
    known, too. A repeated session has `-2` and so on after its id. Blank turns have ids, too: the
    official corpora hold them.
    """

    def __init__(
        self, names: Mapping[str, str], sessions: Sequence[Session], blanks: Sequence[str]
    ) -> None:
        """Keep what is needed: official session id by key, the sessions, ids of blank turns."""
        self._names = names
        self._sessions = sessions
        self._blanks = blanks
        self._ids: dict[str, str] | None = None

    def _all(self) -> dict[str, str]:
        if self._ids is None:
            self._ids = {}
            said = [turn.id for session in self._sessions for turn in session.turns]
            for public in (*said, *self._blanks):
                key, _, number = public.rpartition("_")
                name = self._names[key]
                self._ids[f"{name}_{number}"] = public
                self._ids[f"{name.replace('answer', 'noans')}_{number}"] = public
        return self._ids

    def __getitem__(self, official: str) -> str:
        return self._all()[official]

    def __iter__(self) -> Iterator[str]:
        return iter(self._all())

    def __len__(self) -> int:
        return len(self._all())
