"""A case: one history and the questions that belong to it, as its public side.

A **task** (a benchmark) yields pairs of a public `Case` and a private `Gold` (`domain.score`). A
case is a **timeline**: an ordered tuple of events. The harness plays it against one **system** in a
lane process and writes one **record** per (event, phase).

Everything here is frozen and built from plain values, so that it pickles, compares and prints. But
for turns, which are very many, it has no slots: cases travel to lanes, and Python pickles a frozen
dataclass with slots four times slower.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from membench.domain.labels import Phase


@dataclass(frozen=True, slots=True)
class Turn:
    """One utterance.

    Attributes:
        id: Source id, unique in its case; what a `Memory` names in `sources`.
        speaker: Display name (`"Caroline"`, `"user"`).
        role: `"user"` or `"assistant"`; two-person dialogues call their first speaker user.
        content: The bare words, for systems that format messages themselves.
        text: The task's rendering of the turn (the benchmark's official unit). This is what
            retrieval indexes and what answer spans count code points in.
        time: Dataset time of the turn, if turns carry their own.
    """

    id: str
    speaker: str
    role: Literal["user", "assistant"]
    content: str
    text: str
    time: datetime | None = None

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by `turn_of`: there are very many turns."""
        fields = (self.id, self.speaker, self.role, self.content, self.text, self.time)
        return turn_of, fields


_new_turn = Turn.__new__


_set_id, _set_speaker, _set_role, _set_content, _set_text, _set_time = (
    vars(Turn)[name].__set__ for name in ("id", "speaker", "role", "content", "text", "time")
)


def turn_of(
    name: str,
    speaker: str,
    role: Literal["user", "assistant"],
    content: str,
    text: str,
    time: datetime | None = None,
) -> Turn:
    """`Turn(...)` in a third of the time, for files with hundreds of thousands of them.

    A frozen dataclass sets each field through `object.__setattr__`.
    """
    turn = _new_turn(Turn)
    _set_id(turn, name)
    _set_speaker(turn, speaker)
    _set_role(turn, role)
    _set_content(turn, content)
    _set_text(turn, text)
    _set_time(turn, time)
    return turn


@dataclass(frozen=True)
class Session:
    """A dated list of turns.

    Attributes:
        id: Source id, unique in its case.
        index: Its place among the sessions of its case, from 0.
        turns: The utterances in order; may be empty.
        time: When it began, by the dataset's clock, without a time zone.
        end_time: When it ended, where the dataset says.
    """

    id: str
    index: int
    turns: tuple[Turn, ...]
    time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True)
class Item:
    """One ready-made memory that a case hands over as it is (PersistBench).

    Attributes:
        id: Source id; what a `Memory` of it names in `sources`.
        text: The memory, to be stored as it is.
        time: Dataset time, where the dataset has one.
    """

    id: str
    text: str
    time: datetime | None = None


@dataclass(frozen=True)
class Question:
    """What a system and a reader see of a question: its words and the dataset's 'now'."""

    text: str
    now: datetime | None = None


@dataclass(frozen=True)
class Ingest:
    """Store one session."""

    session: Session


@dataclass(frozen=True)
class Remember:
    """Store one item."""

    item: Item


@dataclass(frozen=True)
class Finalize:
    """Time for sleep-time work. Placed by the task; a no-op for systems without any."""


@dataclass(frozen=True)
class Ask:
    """Recall for a question now; the read stage answers it `generations` times.

    Attributes:
        k: Number of memories where the protocol fixes it, else None (the run's k).
    """

    question: Question
    generations: int = 1
    k: int | None = None


@dataclass(frozen=True)
class Probe:
    """Recall that is scored but never answered (HaluMem's update probes)."""

    query: str
    k: int | None = None
    now: datetime | None = None


@dataclass(frozen=True)
class Feedback:
    """Tell the system how an attempt at an earlier event fared: one that the dataset recorded.

    The reader answers after a case was played, so this is never about its answers.

    Attributes:
        event: Index of the `Ask`.
        text: What was said about the attempt.
        success: Whether it was right; None where the dataset does not say.
    """

    event: int
    text: str
    success: bool | None = None


Event = Ingest | Remember | Finalize | Ask | Probe | Feedback


def phase_of(event: Event) -> Phase:
    """The phase that playing `event` is charged to; every event has exactly one."""
    match event:
        case Ingest() | Remember() | Feedback():
            return Phase.INGEST
        case Finalize():
            return Phase.FINALIZE
        case Ask() | Probe():
            return Phase.RECALL


@dataclass(frozen=True)
class Case:
    """One history and the questions that belong to it: the public part.

    Attributes:
        id: Opaque id, the same in every run of a spec; the official id is gold.
        task: The task's name.
        timeline: What happens, in order. An event is addressed by its index here.
    """

    id: str
    task: str
    timeline: tuple[Event, ...]

    def turns(self) -> dict[str, Turn]:
        """Every turn of the case by id."""
        return {
            turn.id: turn
            for event in self.timeline
            if isinstance(event, Ingest)
            for turn in event.session.turns
        }


@dataclass(frozen=True)
class CaseInfo:
    """What `MemorySystem.reset` is told: a namespace and who speaks. No gold, no dates."""

    id: str
    task: str
    speakers: tuple[str, ...] = ()


def opaque_ids(task: str, seed: int) -> Callable[[str], str]:
    """A function that maps official ids to opaque ones, keyed by task and seed.

    Raw ids reveal gold (LongMemEval marks evidence sessions with `answer`), so whatever crosses
    into a lane is named by this hash.

    Returns:
        A function from an official id to 16 hexadecimal digits.
    """
    key = f"{task}:{seed}".encode()

    def opaque(official: str) -> str:
        return hashlib.blake2b(official.encode(), key=key, digest_size=8).hexdigest()

    return opaque
