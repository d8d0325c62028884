"""The private side of a case, verdicts, and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from membench.domain.labels import JsonView
from membench.domain.outcome import Outcome

# --- gold --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class QuestionGold:
    """The private side of one `Ask`. Tasks subclass it with what their scoring needs.

    Attributes:
        question_id: The published id, as the page of the task defines it.
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


# --- verdicts and scores -----------------------------------------------------------------------


@dataclass(frozen=True)
class JudgeRequest:
    """One thing to be judged.

    Attributes:
        id: Unique in the run: item id, kind and generation.
        kind: Which of the task's judge prompts.
        fields: Values for the prompt's placeholders.
    """

    id: str
    kind: str
    fields: Mapping[str, str]


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
    values: JsonView = field(default_factory=dict)


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
