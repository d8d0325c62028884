"""HaluMem's figures: which record counts in which ratio, and the ratios.

A judged run comes down to four lists of records: one per gold **point** (integrity), per
**extracted** memory (accuracy), per **update** probe and per **answer**. Every metric is a micro
ratio over all users: each record adds a `Part` to the ratios it belongs to. In the benchmark's
"(all)" a failed judgement stays in the denominator and adds nothing; in "(valid)" it is left out.

`overall_score` lays the same parts out under the keys of the official script, to be compared
with its output digit by digit. Source: docs/tasks/halumem.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from membench.domain.score import Metric
from membench.metrics.statistics import fraction_interval, grouped, spread_of
from membench.metrics.text import stems

UPDATE_LABELS = ("correct", "hallucination", "omission", "other")
ANSWER_LABELS = ("correct", "hallucination", "omission")

RECALL = "extraction.recall"
WEIGHTED_RECALL = "extraction.weighted_recall"
FMR = "extraction.fmr"
ACCURACY = "extraction.accuracy"
PRECISION = "extraction.target_precision"
F1 = "extraction.f1"


@dataclass(frozen=True, slots=True)
class Integrity:
    """A gold point held against what its session's extraction stored.

    Attributes:
        memory_type: Persona, Event or Relationship Memory.
        interference: Whether the point is a distractor that should not have been stored.
        importance: Its weight.
        score: 2 covered, 1 partly, 0 missing or wrong; None for a failed judgement.
    """

    memory_type: str
    interference: bool
    importance: float
    score: int | None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An extracted memory held against the dialogue and the session's gold points.

    Attributes:
        score: 2 all facts supported, 1 mixed, 0 none; None for a failed judgement.
        included: Whether it is about something gold holds; false for a failed judgement.
    """

    score: int | None
    included: bool


@dataclass(frozen=True, slots=True)
class Update:
    """What a changed fact's probe found: a word of `UPDATE_LABELS`, None for a failed judgement."""

    memory_type: str
    label: str | None


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """What became of a question: a word of `ANSWER_LABELS`, None for a failed judgement."""

    label: str | None


@dataclass(frozen=True)
class Records:
    """Everything a judged run comes down to. Durations in milliseconds, in the order of play."""

    integrity: Sequence[Integrity] = ()
    accuracy: Sequence[Accuracy] = ()
    updates: Sequence[Update] = ()
    answers: Sequence[JudgedAnswer] = ()
    add_ms: Sequence[float] = ()
    search_ms: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class Part:
    """What one record adds to one ratio; a numerator of None is a failed judgement."""

    numerator: float | None
    denominator: float = 1.0


Parts = Mapping[str, Part]


# --- which record counts where -------------------------------------------------------------------


def integrity_parts(record: Integrity) -> dict[str, Part]:
    """Recall for true points, false-memory resistance for distractors."""
    if record.interference:
        return {FMR: Part(indicator(record.score, 0))}
    weighted = None if record.score is None else 0.5 * record.score * record.importance
    return {
        RECALL: Part(indicator(record.score, 2)),
        WEIGHTED_RECALL: Part(weighted, record.importance),
    }


def accuracy_parts(record: Accuracy) -> dict[str, Part]:
    """Accuracy for every extracted memory, target precision for the included ones."""
    half = None if record.score is None else 0.5 * record.score
    parts = {ACCURACY: Part(half)}
    if record.included:
        parts[PRECISION] = Part(half)
    return parts


def update_parts(label: str | None) -> dict[str, Part]:
    """One share per label of an update probe."""
    return label_parts("update", UPDATE_LABELS, label)


def answer_parts(label: str | None) -> dict[str, Part]:
    """One share per label of an answer."""
    return label_parts("qa", ANSWER_LABELS, label)


def label_parts(prefix: str, labels: Sequence[str], label: str | None) -> dict[str, Part]:
    """One indicator per label."""
    return {
        f"{prefix}.{name}": Part(None if label is None else float(label == name)) for name in labels
    }


def indicator(score: int | None, wanted: int) -> float | None:
    """1 if the score is the wanted one, 0 if not, None without a score."""
    return None if score is None else float(score == wanted)


def included_in_gold(value: object) -> bool:
    """The official test of an accuracy verdict: two strings; a JSON boolean does not count."""
    return isinstance(value, str) and value in ("true", "True")


# --- ratios --------------------------------------------------------------------------------------


def ratio(parts: Iterable[Part], valid: bool = False) -> float | None:
    """Sum of numerators over sum of denominators, added up in order as the official script does.

    Args:
        parts: What each record adds.
        valid: Leave failed judgements out instead of counting them as 0.

    Returns:
        The ratio; None where nothing is in the denominator.
    """
    numerator = denominator = 0.0
    for part in parts:
        if part.numerator is None and valid:
            continue
        numerator += part.numerator or 0.0
        denominator += part.denominator
    return numerator / denominator if denominator else None


def harmonic(precision: float | None, recall: float | None) -> float | None:
    """F1 of a precision and a recall; 0 if their sum is 0; None if either is undetermined."""
    if precision is None or recall is None:
        return None
    total = precision + recall
    return 2 * precision * recall / total if total else 0.0


def f1_metric(
    recall: Sequence[Part], precision: Sequence[Part], users: tuple[Sequence[str], Sequence[str]]
) -> Metric:
    """F1 of two micro ratios with its linearised cluster-t interval over users.

    With P = Σc/Σd and R = Σa/Σb, the residual of user g is
    `dF/dR Σ_g(a - R b)/Σb + dF/dP Σ_g(c - P d)/Σd`, `dF/dR = 2P²/(P+R)²` and `dF/dP = 2R²/(P+R)²`.

    Args:
        recall: Parts of the recall ratio; a numerator of None counts as 0.
        precision: Parts of the precision ratio, likewise.
        users: The user of each part of `recall` and of `precision`.
    """
    r, p = ratio(recall), ratio(precision)
    value, clusters = harmonic(p, r), sorted({*users[0], *users[1]})
    n = len(recall) + len(precision)
    if value is None or p is None or r is None or p + r == 0:
        return Metric(value, None, n, len(clusters))
    of_recall, of_precision = residuals(recall, r, users[0]), residuals(precision, p, users[1])
    by_r, by_p = 2 * p * p / (p + r) ** 2, 2 * r * r / (p + r) ** 2
    counts = Counter([*users[0], *users[1]])
    spread = spread_of(
        [by_r * of_recall.get(g, 0.0) + by_p * of_precision.get(g, 0.0) for g in clusters],
        [counts[g] / n for g in clusters],
    )
    if spread is None:
        return Metric(value, None, n, len(clusters))
    return Metric(value, fraction_interval(value, spread, len(clusters)), n, len(clusters))


def residuals(parts: Sequence[Part], value: float, users: Sequence[str]) -> dict[str, float]:
    """`Σ_g(a - value b) / Σb` by user."""
    total = math.fsum(part.denominator for part in parts)
    pairs = [(part.numerator or 0.0, part.denominator) for part in parts]
    return {
        user: math.fsum(a - value * b for a, b in rows) / total
        for user, rows in grouped(pairs, users).items()
    }


def user_bootstrap(values: Sequence[float], seed: int = 0, draws: int = 2000) -> Metric:
    """The mean of one figure per user with a percentile bootstrap over users (paper, section 4).

    Args:
        values: One macro figure per user, shape (users,).
        seed: Of the resampling, so that a score is the same every time.
        draws: Resamples.
    """
    import numpy as np

    if not values:
        return Metric(None, None, 0, 0)
    figures = np.asarray(values, dtype=float)
    mean = math.fsum(values) / len(values)
    if len(values) < 2:
        return Metric(mean, None, len(values), len(values))
    chosen = np.random.default_rng(seed).integers(0, len(values), size=(draws, len(values)))
    low, high = np.quantile(figures[chosen].mean(axis=1), [0.025, 0.975])
    return Metric(mean, (float(low), float(high)), len(values), len(values))


# --- the official layout -------------------------------------------------------------------------


def overall_score(records: Records) -> dict[str, object]:
    """The `overall_score` of the official script: its keys, its arithmetic, nothing rounded.

    Empty denominators, where the script stops with an error, give None.
    """
    integrity = [integrity_parts(record) for record in records.integrity]
    accuracy = [accuracy_parts(record) for record in records.accuracy]
    update = [update_parts(record.label) for record in records.updates]
    answers = [answer_parts(record.label) for record in records.answers]
    recall, precision = picked(integrity, RECALL), picked(accuracy, PRECISION)
    weights = picked(integrity, WEIGHTED_RECALL)
    return {
        "memory_integrity": {
            **both("recall", recall),
            **both("weighted_recall", weights),
            "memory_valid_importance_sum": sum(p.denominator for p in weights if judged(p)),
            "memory_importance_sum": sum(p.denominator for p in weights),
            **counts("memory", recall),
        },
        "memory_accuracy": {
            **both("interference_accuracy", picked(integrity, FMR)),
            **counts("interference_memory", picked(integrity, FMR)),
            **both("target_accuracy", precision),
            **counts("target_memory", precision),
            **both("weighted_accuracy", picked(accuracy, ACCURACY)),
            **counts("memory", picked(accuracy, ACCURACY)),
        },
        "memory_extraction_f1": harmonic(ratio(precision), ratio(recall)),
        "memory_update": labelled("update", "update_memory", UPDATE_LABELS, update),
        "question_answering": labelled("qa", "qa", ANSWER_LABELS, answers),
        "memory_type_accuracy": type_accuracy(records),
        "time_consuming": minutes(records.add_ms, records.search_ms),
    }


def type_accuracy(records: Records) -> dict[str, dict[str, object]]:
    """Per memory type; as published, a captured distractor counts as correct."""
    types = {r.memory_type for r in records.integrity} | {r.memory_type for r in records.updates}
    return {name: one_type(records, name) for name in sorted(types)}


def one_type(records: Records, name: str) -> dict[str, object]:
    """Integrity and update share of one type over all its records."""
    points = [r for r in records.integrity if r.memory_type == name]
    updates = [r for r in records.updates if r.memory_type == name]
    total = len(points) + len(updates)
    integrity = sum(r.score == 2 for r in points) / total
    update = sum(r.label == "correct" for r in updates) / total
    return {
        "memory_integrity_acc": integrity,
        "memory_update_acc": update,
        "total_num": total,
        "memory_acc": integrity + update,
    }


def minutes(add_ms: Sequence[float], search_ms: Sequence[float]) -> dict[str, float | None]:
    """The official times: adding, searching for questions, and their sum."""
    add, search = in_minutes(add_ms), in_minutes(search_ms)
    total = None if add is None or search is None else add + search
    return {
        "add_dialogue_duration_time": add,
        "search_memory_duration_time": search,
        "total_duration_time": total,
    }


def in_minutes(durations: Sequence[float]) -> float | None:
    """Milliseconds, added up in order, as minutes; None where none was taken.

    A loop, because `sum` compensates from Python 3.12 on and the script's figure does not.
    """
    total = 0.0
    for duration in durations:
        total += duration
    return total / 1000 / 60 if durations else None


def labelled(
    prefix: str, noun: str, labels: Sequence[str], rows: Sequence[Parts]
) -> dict[str, object]:
    """The shares of a labelled judgement in the official spelling."""
    shares: dict[str, object] = {}
    for label in labels:
        shares |= both(f"{label}_{noun}_ratio", picked(rows, f"{prefix}.{label}"))
    return shares | counts(noun, picked(rows, f"{prefix}.{labels[0]}"))


def both(name: str, parts: Sequence[Part]) -> dict[str, object]:
    """A ratio over all records and over the validly judged ones."""
    return {f"{name}(all)": ratio(parts), f"{name}(valid)": ratio(parts, valid=True)}


def counts(noun: str, parts: Sequence[Part]) -> dict[str, object]:
    """How many records a ratio is over."""
    return {f"{noun}_valid_num": sum(map(judged, parts)), f"{noun}_num": len(parts)}


def judged(part: Part) -> bool:
    """Whether the judgement behind a part succeeded."""
    return part.numerator is not None


def picked(rows: Iterable[Parts], name: str) -> list[Part]:
    """The parts of one metric among those of many records."""
    return [parts[name] for parts in rows if name in parts]


# --- figures that need no judge ------------------------------------------------------------------


def holds_old_value(recalled: Sequence[str], originals: Sequence[str], updated: str) -> bool:
    """Whether one recalled text still says what one of the replaced memories said.

    The update judge sees what was found for the gold text itself, so an append-only store can
    pass with the old value in plain sight; this share is printed beside it. What a replaced
    memory said is its words (stemmed) that the new one lacks, and a text holds them if it holds
    all of them: a lower bound, because a reworded old value is not found.
    """
    found = [frozenset(stems(text)) for text in recalled]
    new = frozenset(stems(updated))
    for original in originals:
        old = frozenset(stems(original))
        value = old - new or old
        if value and any(value <= text for text in found):
            return True
    return False
