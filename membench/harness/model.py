"""The words of membench as data: cases and their timelines, memories, records, scores.

A **task** (a benchmark) yields pairs of a public `Case` and a private gold. A case is a
**timeline**: an ordered tuple of events. The harness plays the public case against one
**system** in a lane process and writes one **record** per (event, phase). Everything here is
frozen and built from plain values, so that it pickles, compares and prints. But for turns, which
are very many, it has no slots: cases travel to lanes, and Python pickles a frozen dataclass with
slots four times slower.

This module imports nothing of membench: tasks, adapters, metrics and the harness all depend on
it, and third-party adapters in their own environments are given this file alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

Scalar = str | int | float | bool
"""A value that fits a parameter, an option or a JSON leaf."""


class Phase(StrEnum):
    """What a cost is charged to. Judge is never charged to a system."""

    INGEST = "ingest"
    FINALIZE = "finalize"
    RECALL = "recall"
    ANSWER = "answer"
    JUDGE = "judge"


class Role(StrEnum):
    """Which model is called."""

    MEMORY = "memory"
    READER = "reader"
    JUDGE = "judge"
    EMBEDDER = "embedder"
    RERANKER = "reranker"


class Provenance(StrEnum):
    """How a figure of cost came about, strongest first. Null is not zero."""

    MEASURED = "measured"
    MODELLED = "modelled"
    ESTIMATED = "estimated"
    UNAVAILABLE = "unavailable"


# --- the public case ---------------------------------------------------------------------------


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

    def __reduce__(self) -> tuple[Any, ...]:
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
    """A dated list of turns. `time` is the dataset's clock, without a time zone."""

    id: str
    index: int
    turns: tuple[Turn, ...]
    time: datetime | None = None
    end_time: datetime | None = None


@dataclass(frozen=True)
class Item:
    """One ready-made memory that a case hands over as it is (PersistBench)."""

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
    """Tell the system how its answer to an earlier event fared."""

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


# --- gold --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QuestionGold:
    """The private side of one `Ask`. Tasks subclass it with what their scoring needs.

    Attributes:
        question_id: The published id (see DESIGN 3.5).
        category: Category name as the benchmark calls it.
        evidence: Turn ids (public ids, resolvable in this case) that support the answer; this is
            also what the harness grants to `oracle`.
        answer: Gold answer or rubric in display form; None where the benchmark has none.
    """

    question_id: str
    category: str
    evidence: tuple[str, ...] = ()
    answer: str | None = None


@dataclass(frozen=True)
class Gold:
    """The private side of a case.

    Attributes:
        case_id: Official id: the cluster for statistics.
        questions: By event index of the `Ask`.
        turn_ids: Official turn id -> public turn id, for predictions made elsewhere.
        event_ids: Published id of an event that is no ask (HaluMem's sessions and update probes)
            -> its index, for predictions made elsewhere.
    """

    case_id: str
    questions: Mapping[int, QuestionGold]
    turn_ids: Mapping[str, str] = field(default_factory=dict)
    event_ids: Mapping[str, int] = field(default_factory=dict)


# --- memory systems ----------------------------------------------------------------------------


@dataclass(frozen=True)
class Memory:
    """One item a system stored or recalled.

    Attributes:
        text: What a reader is shown.
        sources: Ids of the turns (or items) it came from; empty where the system cannot know.
        time: Dataset time, where the system keeps one.
        score: The system's own relevance, higher is better; not comparable between systems.
        id: The system's own id, if it has one.
    """

    text: str
    sources: tuple[str, ...] = ()
    time: datetime | None = None
    score: float | None = None
    id: str | None = None


@dataclass(frozen=True)
class MemoryChange:
    """What one `ingest` did to the store."""

    kind: Literal["add", "update", "delete"]
    memory: Memory


@dataclass(frozen=True)
class Query:
    """A recall request.

    Attributes:
        text: The question's words.
        k: How many memories at most; None where the caller sets no bound.
        token_budget: Tokens (o200k_base) the recalled texts may hold together; None for no bound.
        now: The dataset's clock, never the wall clock.
        granted: Evidence turn ids, given to systems that declare `evidence_grant` and nobody else.
    """

    text: str
    k: int | None = None
    token_budget: int | None = None
    now: datetime | None = None
    granted: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Span:
    """Part of an answer: code points `start:end` of a turn's rendering, or of recalled memory `n`.

    `turn` is set where the words stand in a turn, so that anyone with the data can resolve them;
    `memory` (number n of texts.jsonl) only where a system rewrote the text.
    """

    start: int
    end: int
    turn: str | None = None
    memory: int | None = None


@dataclass(frozen=True)
class Generated:
    """Part of an answer that the reader generated: date, number, yes/no, separator, refusal."""

    text: str


AnswerPart = Span | Generated


@dataclass(frozen=True)
class Answer:
    """An answer: free text (an LLM, a system's own `answer`) or parts (the extractive reader)."""

    text: str
    parts: tuple[AnswerPart, ...] | None = None


@dataclass(frozen=True)
class ModelEndpoint:
    """Where a system finds one of its models: the run's gateway, never an upstream."""

    base_url: str
    api_key: str
    model: str
    dimensions: int | None = None


@dataclass(frozen=True)
class SystemContext:
    """What the factory of a system is given.

    Attributes:
        parameters: Declared in `system.toml`, defaults filled in, types checked.
        seed: The run's seed.
        workdir: A folder of its own; removed after the lane.
        models: Endpoints of the roles that the run configured; empty without models.
        count_tokens: Tokens of a text by o200k_base.
    """

    parameters: Mapping[str, Scalar]
    seed: int
    workdir: Path
    count_tokens: Callable[[str], int]
    models: Mapping[Role, ModelEndpoint] = field(default_factory=dict)


@runtime_checkable
class MemorySystem(Protocol):
    """A memory system under test. Calls are synchronous and come from one thread.

    Optional methods, found by capability and declared in `system.toml`: `finalize()`,
    `answer(query) -> Answer`, `memories() -> Sequence[Memory]`, `remember(item)`,
    `feedback(feedback)`, `snapshot(dir)` / `restore(dir)`, `store_bytes() -> int`.
    """

    def reset(self, case: CaseInfo) -> None:
        """Start a case: an empty store, one namespace."""

    def ingest(self, session: Session) -> Sequence[MemoryChange] | None:
        """Store a session and return when it is recallable.

        Returns:
            What changed; `[]` if nothing was stored; None if the system cannot tell.
        """

    def recall(self, query: Query) -> Sequence[Memory]:
        """Memories for a query, best first. Must not change the store unless declared."""

    def close(self) -> None:
        """Release everything. No call follows."""


# --- what was played ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """`ok`, or `failed` with a reason of the failure vocabulary (`harness.errors.Reason`)."""

    ok: bool = True
    reason: str | None = None


@dataclass(frozen=True)
class Ingested:
    """What an ingest, remember or finalize event came to. `changes` None: cannot tell.

    `duration_ms` is set only for predictions made elsewhere: a run keeps times in its telemetry.
    """

    outcome: Outcome
    changes: tuple[MemoryChange, ...] | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class Recalled:
    """What an ask or a probe recalled, in rank order.

    `k` is the number that was asked for; None where predictions made elsewhere do not say.
    A system that ignores k may have returned more, or all it ever will.
    `duration_ms` is set only for predictions made elsewhere: a run keeps times in its telemetry.
    """

    outcome: Outcome
    memories: tuple[Memory, ...] = ()
    k: int | None = None
    duration_ms: float | None = None


@dataclass(frozen=True)
class Answered:
    """One generation of an answer; `text` is None exactly when it failed."""

    outcome: Outcome
    text: str | None = None
    generation: int = 0


@dataclass(frozen=True)
class PlayedCase:
    """A case with everything recorded about it, by event index: the input of scoring.

    An event missing from a mapping was never recorded; scoring counts it as failed (`missing`).
    """

    case: Case
    ingested: Mapping[int, Ingested] = field(default_factory=dict)
    recalled: Mapping[int, Recalled] = field(default_factory=dict)
    answered: Mapping[int, tuple[Answered, ...]] = field(default_factory=dict)


# --- verdicts and scores -----------------------------------------------------------------------


@dataclass(frozen=True)
class JudgeRequest:
    """One thing to be judged.

    Attributes:
        id: Unique in the run: item id, kind and generation.
        kind: Which of the task's judge prompts.
        fields: Values for the prompt's placeholders.
        votes: How many independent votes the protocol wants.
    """

    id: str
    kind: str
    fields: Mapping[str, str]
    votes: int = 1


@dataclass(frozen=True)
class Verdict:
    """What a judge said about one request.

    Attributes:
        request_id: The `JudgeRequest.id`.
        outcome: A parse failure or an exhausted retry is failed, never a score.
        values: Parsed output fields (`label`, `score`, `reasoning`, ...); empty when failed.
    """

    request_id: str
    outcome: Outcome
    values: Mapping[str, Any] = field(default_factory=dict)


ScoreStatus = Literal["scored", "unscored", "failed"]


@dataclass(frozen=True)
class Score:
    """One row of scores.jsonl.

    Attributes:
        case_id: Official case id, the cluster.
        item_id: Question id, or the id of a probe, point or extracted memory.
        kind: `"question"` for asks; else the task's word (`"update"`, `"integrity"`, ...).
        category: Category name, if the task has categories.
        status: `scored`, `unscored` (no judge was run) or `failed`.
        reason: Why it is unscored or failed.
        values: Metric name -> value. A metric absent here does not have this row in its
            denominator; a metric present with None was not determined for it.
        flags: Remarks that travel with the row (`"pool"`, `"above_ceiling"`, ...).
        event: Index of the event in the case's timeline, if the row belongs to one.
    """

    case_id: str
    item_id: str
    kind: str
    category: str | None
    status: ScoreStatus
    values: Mapping[str, float | None]
    reason: str | None = None
    flags: tuple[str, ...] = ()
    event: int | None = None


@dataclass(frozen=True)
class Metric:
    """An aggregated figure with its sample size and interval.

    Attributes:
        value: Fraction in 0..1 unless the metric's name says otherwise; None if undetermined.
        ci95: Interval, None with fewer than two clusters.
        n: Rows in the denominator.
        clusters: Distinct cases among them.
    """

    value: float | None
    ci95: tuple[float, float] | None
    n: int
    clusters: int


@dataclass(frozen=True)
class Category:
    """Metrics of one category. `id` is the benchmark's own number or name."""

    id: str
    n: int
    metrics: Mapping[str, Metric]


@dataclass(frozen=True)
class Aggregate:
    """What a task makes of all its score rows."""

    metrics: Mapping[str, Metric]
    categories: Mapping[str, Category] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
