"""Where a run stands: its scores between floor and ceiling, its place, its cost per answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from membench.leaderboard.store.index import Frame, Index
from membench.leaderboard.store.ranking import Rank
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.views.board.board import board
from membench.leaderboard.views.board.query import BoardQuery
from membench.leaderboard.views.board.row import BoardRow
from membench.leaderboard.views.board.rows import number
from membench.records.costs import MAIN_COSTS, QUESTION, SETUP, Cost
from membench.tasks.wording import MetricWords, is_accuracy, leading_metrics, metric_words

REFERENCES = ("floor", "ceiling")
"""What knowing nothing, and knowing the evidence, give under the same conditions."""


@dataclass(frozen=True)
class MetricStanding:
    """One score of a run.

    Attributes:
        words: The metric.
        figure: The run's figure.
        references: `floor` and `ceiling` -> system and figure, as far as the board has them and
            they bound the metric.
    """

    words: MetricWords
    figure: RowFigure
    references: Mapping[str, tuple[str, RowFigure]]


@dataclass(frozen=True)
class CostStanding:
    """One cost of a run.

    Attributes:
        cost: Which.
        question: Of a question; None if unknown.
        history: Of building a history's memory; None if unknown.
        per_correct: Of a correct answer; None where answers have no accuracy.
    """

    cost: Cost
    question: RowFigure | None
    history: RowFigure | None
    per_correct: float | None


@dataclass(frozen=True)
class Standing:
    """Where a run stands.

    Attributes:
        label: System with the parameters that were set.
        place: Board it belongs to, in words.
        why: Why it is not ranked; empty if it is.
        rank: Its rank; None where it has none.
        rivals: Ranked rows of its board.
        scores: The task's leading metrics.
        costs: Costs that are known.
        accuracy: The metric that costs per correct answer divide by; empty without one.
    """

    label: str
    place: str
    why: str
    rank: Rank | None
    rivals: int
    scores: tuple[MetricStanding, ...]
    costs: tuple[CostStanding, ...]
    accuracy: str


def standing(index: Index, run_id: str) -> Standing | None:
    """Where a run stands; None for one that the index does not have."""
    runs = index.runs
    mine = runs[(runs["run_id"] == run_id) & runs["split"].notna()] if len(runs) else runs
    if not len(mine):
        return None
    run = mine.iloc[0]
    choice = BoardQuery(f"{run['task']}:{run['split']}", run["division"], run["group"])
    shown = board(index, choice)
    row = next((row for row in shown.all_rows if row.run_id == run_id), None)
    card = task_class(run["task"]).card
    figures = figures_of(index, run_id)
    peers = {
        kind: (str(name), figures_of(index, str(peer)))
        for kind in REFERENCES
        for name, peer in reference_runs(runs, run, kind)
    }
    scores = tuple(
        MetricStanding(
            metric_words(card, name),
            figures[name],
            told_references(
                metric_words(card, name),
                {kind: (who, own[name]) for kind, (who, own) in peers.items() if name in own},
            ),
        )
        for name in leading_metrics(card, figures)
    )
    accuracy = accuracy_metric(run["task"], figures)
    return Standing(
        label=run["label"],
        place=f"{card.title} ({run['split']}), division {run['division']}, {run['protocol']}",
        why=why_without_rank(row, shown.choice.words),
        rank=row.rank if row else None,
        rivals=sum(other.rank is not None for other in shown.all_rows),
        scores=scores,
        costs=tuple(cost_standings(figures, accuracy)),
        accuracy=metric_words(card, accuracy).title if accuracy else "",
    )


def told_references(
    words: MetricWords, references: Mapping[str, tuple[str, RowFigure]]
) -> Mapping[str, tuple[str, RowFigure]]:
    """The references of a metric that bound it.

    None of a metric that says nothing about better or worse, nor where the floor does not lie
    below the ceiling: knowing nothing scores well wherever silence is right.
    """
    if not words.ranks:
        return {}
    if len(references) == len(REFERENCES):
        low, high = (references[kind][1].value for kind in REFERENCES)
        if (low <= high) if words.lower else (low >= high):
            return {}
    return references


def why_without_rank(row: BoardRow | None, words: MetricWords) -> str:
    """Why a run has no rank; empty if it has one."""
    if row is None:
        return "another attempt at the same configuration stands for it"
    if row.rank is None and not row.why:
        return f"{words.title} says nothing about better or worse"
    return row.why


def figures_of(index: Index, run_id: str) -> dict[str, RowFigure]:
    """Every figure of a run by name."""
    mine = index.figures[index.figures["run_id"] == run_id]
    columns = (mine[name] for name in ("name", "value", "low", "high", "n", "few"))
    return {
        name: RowFigure(value, number(low), number(high), int(n), bool(few))
        for name, value, low, high, n, few in zip(*columns, strict=True)
    }


def reference_runs(runs: Frame, run: Frame, kind: str) -> list[tuple[str, str]]:
    """The newest run of a reference in a run's group: system and run id; none if it is one."""
    if run["reference"] == kind:
        return []
    found = runs[(runs["group"] == run["group"]) & (runs["reference"] == kind)]
    found = found[~found["withdrawn"]].sort_values("created", ascending=False)
    return list(zip(found["system"][:1], found["run_id"][:1], strict=True))


def accuracy_metric(task: str, figures: Mapping[str, RowFigure]) -> str:
    """The metric that says how many answers are right; empty where none was determined."""
    card = task_class(task).card
    name = card.main_metric
    usable = name in figures and is_accuracy(card, name)
    return name if usable and figures[name].value > 0 else ""


def cost_standings(figures: Mapping[str, RowFigure], accuracy: str) -> list[CostStanding]:
    """Costs of which something is known."""
    found = []
    for cost in MAIN_COSTS:
        asked, setup = figures.get(f"{QUESTION}.{cost.id}"), figures.get(f"{SETUP}.{cost.id}")
        if asked is None and setup is None:
            continue
        correct = asked.value / figures[accuracy].value if asked and accuracy else None
        found.append(CostStanding(cost, asked, setup, correct))
    return found
