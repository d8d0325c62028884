"""Comparing finished runs: what can be compared, by how much they differ, and on which questions.

Two runs are alike where their comparison keys are equal; scores are compared only then, and costs
that depend on the machine only where the key's `cost` part is equal too. Differences are paired by
question, with cases as clusters. Everything here works on data that `load`, or the board, has
read; nothing is written. The command, the page and the export show what this returns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from membench.domain.case import opaque_ids
from membench.domain.errors import RunStateError, UnknownName, UsageError
from membench.domain.labels import JsonView
from membench.domain.score import Score
from membench.harness.places import open_run
from membench.metrics.paired import (
    Difference,
    PairedTable,
    Ratio,
    Visible,
    contingency,
    cost_ratio,
    difference,
    holm,
    sign_flip,
    visible_by_cases,
)
from membench.records.comparison_key import ComparisonKey
from membench.records.costs import COSTS, PER, STAGES, CaseCosts, Cost, mean_cost, name_of
from membench.records.journal import read_lines
from membench.records.scores import read_scores
from membench.records.summary import Summary
from membench.tasks.registry import get_task
from membench.tasks.wording import leading_metrics

COST = "cost"
"""The part of a comparison key that only costs need to agree on."""

METER = "energy_"
"""How the parts of `cost` begin that only joules need to agree on."""


@dataclass(frozen=True)
class FinishedRun:
    """A finished run as far as comparing needs it, from a run directory or from a bundle.

    Attributes:
        summary: What it came to.
        scores: The rows of `scores.jsonl`, read anew each time.
        costs: `<phase>.<cost>` -> official case id -> total, as `CaseCosts` makes them.
        granted: Whether its system was granted the evidence: a ceiling, no competitor.
    """

    summary: Summary
    scores: Iterable[Score]
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    granted: bool = False

    @property
    def name(self) -> str:
        """Run id."""
        return self.summary.run_id

    @property
    def task(self) -> str:
        """Name of the benchmark."""
        return self.summary.task

    @property
    def key(self) -> ComparisonKey:
        """What must be equal to compare it with another."""
        return self.summary.comparison_key

    @property
    def questions(self) -> dict[str, int]:
        """Questions per official case id."""
        counts: dict[str, int] = defaultdict(int)
        for row in self.scores:
            counts[row.case_id] += row.kind == "question"
        return dict(counts)

    def mean_cost(self, part: str, cost: Cost) -> float | None:
        """A cost per question, or per history for those of the setup; None if unknown."""
        return mean_cost(self.summary, cost, part)

    def case_costs(self, part: str, cost: Cost) -> dict[str, float] | None:
        """Total of a stage or phase by case; None where it is not known by case."""
        phases = [p for p in STAGES.get(part, (part,)) if p in self.summary.costs.time_s]
        found = [self.costs.get(f"{phase}.{cost.id}") for phase in phases]
        tables = [table for table in found if table is not None]
        if not tables or len(tables) < len(found):
            return None
        return {case: sum(table.get(case, 0.0) for table in tables) for case in tables[0]}


@dataclass(frozen=True)
class KeyDifference:
    """One part of the comparison key that differs, with the value in each run."""

    part: str
    values: tuple[object, ...]

    def __str__(self) -> str:
        """The part and its values."""
        return f"{self.part}: {' / '.join(str(value) for value in self.values)}"


@dataclass(frozen=True)
class AdjustedP:
    """P values after Holm's adjustment over one family of lines, each test by itself.

    Attributes:
        t: Of the cluster-t test.
        sign_flip: Of swapping runs case by case.
        mcnemar: Of the 2x2 table.
        family: Which lines were adjusted together: `all questions` or `by category`, of every
            metric and every pair of runs that are shown together.
        lines: How many they are.
    """

    t: float | None
    sign_flip: float | None
    mcnemar: float | None
    family: str
    lines: int


@dataclass(frozen=True)
class MetricComparison:
    """One metric of two runs over the questions both have a value for.

    Attributes:
        metric: Its name.
        category: The category it is restricted to, None for all questions.
        first: Mean of the first run over the paired questions.
        second: Mean of the second run over the paired questions.
        difference: First less second, with interval and test by case.
        sign_flip: P of swapping the runs case by case, None with fewer than two cases.
        table: Who was right where, for outcomes that are 0 or 1.
        visible: The smallest difference this comparison could have shown.
        unpaired: Questions that only one of them has a value for.
        adjusted: Its p values, adjusted for all that are shown with them.
    """

    metric: str
    category: str | None
    first: float | None
    second: float | None
    difference: Difference
    sign_flip: float | None
    table: PairedTable | None
    visible: Visible | None
    unpaired: int
    adjusted: AdjustedP | None = None

    @property
    def mcnemar(self) -> float | None:
        """P of the 2x2 table."""
        return None if self.table is None else self.table.p


@dataclass(frozen=True)
class CostComparison:
    """One cost of two runs.

    Attributes:
        cost: Name, as `costs.cost_named` reads it.
        per: `question`, or `history` for what is paid while memory is built.
        first: Mean of the first run.
        second: Mean of the second run.
        ratio: First over second, with its interval by case where the cost is known by case.
        provenance: Label of joules; None for other costs.
    """

    cost: str
    per: str
    first: float
    second: float
    ratio: Ratio
    provenance: str | None = None


@dataclass(frozen=True)
class Disagreement:
    """A question on which two runs differ."""

    item_id: str
    category: str | None
    first: float
    second: float


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side.

    Attributes:
        first: The run that is compared.
        second: The run it is compared with.
        metrics: By metric, over all questions and then by category.
        costs: Ratios of costs; empty where nothing was counted.
        incomparable: Parts of the key that keep machine-bound costs from being compared.
        disagreements: Questions with different values of the first metric, largest gap first.
        undetermined: Metrics that were asked for, of which no question has a value in both runs.
    """

    first: FinishedRun
    second: FinishedRun
    metrics: tuple[MetricComparison, ...]
    costs: tuple[CostComparison, ...]
    incomparable: tuple[KeyDifference, ...]
    disagreements: tuple[Disagreement, ...]
    undetermined: tuple[str, ...] = ()


# --- what can be compared -----------------------------------------------------------------------


def key_differences(keys: Sequence[ComparisonKey]) -> list[KeyDifference]:
    """Parts of the comparison keys that are not equal in all runs, `cost` left out."""
    return part_differences([{**key.to_json(), COST: None} for key in keys])


def cost_differences(keys: Sequence[ComparisonKey]) -> list[KeyDifference]:
    """Parts under `cost` that are not equal in all runs."""
    return part_differences([key.cost.to_json() for key in keys])


def part_differences(keys: Sequence[JsonView]) -> list[KeyDifference]:
    """Parts that are not equal in all keys, those of other versions too."""
    parts = sorted({part for key in keys for part in key})
    return [found for part in parts if (found := part_difference(part, keys))]


def part_difference(part: str, keys: Sequence[JsonView]) -> KeyDifference | None:
    """How a part differs; None where it does not."""
    values = tuple(key.get(part) for key in keys)
    return None if all(value == values[0] for value in values) else KeyDifference(part, values)


def obstacles(runs: Sequence[FinishedRun]) -> list[str]:
    """What keeps the scores of some runs from being compared, line by line; empty if nothing."""
    tasks = dict.fromkeys(run.task for run in runs)
    if len(tasks) > 1:
        listed = ", ".join(f"{run.name} of {run.task}" for run in runs)
        return [f"they are runs of different tasks ({listed}), which share no questions"]
    return [str(found) for found in key_differences([run.key for run in runs])]


def check_alike(runs: Sequence[FinishedRun]) -> None:
    """Refuse runs whose scores must not be compared.

    Raises:
        UsageError: Fewer than two runs, of different tasks, or with different comparison keys.
        RunStateError: A run has cases that were never finished.
    """
    if len(runs) < 2:
        raise UsageError("a comparison needs at least two runs")
    for run in runs:
        if run.summary.content_sha256 is None:
            raise RunStateError(
                f"run {run.name} has unfinished cases", "Continue it with --resume, then compare."
            )
    names = " / ".join(run.name for run in runs)
    found = obstacles(runs)
    if found and len({run.task for run in runs}) > 1:
        raise UsageError(f"{names} cannot be compared: {found[0]}", "Compare runs of one task.")
    if found:
        parts = "\n".join(f"  {line}" for line in found)
        raise UsageError(
            f"{names} cannot be compared: their comparison keys differ in\n{parts}",
            "Repeat one of them with the other's settings.",
        )


def headline(run: FinishedRun) -> list[str]:
    """The metrics that are compared unless one is named: the task's headline."""
    return list(get_task(run.task).card.headline)


def main_metric(run: FinishedRun) -> str:
    """The metric a frontier uses: judged where a judge was run."""
    card = get_task(run.task).card
    known = {name for name, metric in run.summary.metrics.items() if metric.value is not None}
    return next(iter(leading_metrics(card, known)), card.offline_metric)


# --- comparing ----------------------------------------------------------------------------------


def compare_with_first(
    runs: Sequence[FinishedRun], metrics: Sequence[str], *, disagreements: int = 20
) -> tuple[Comparison, ...]:
    """Compare the first run with each of the others, p values adjusted over all of it.

    Args:
        runs: Two or more.
        metrics: See `compare`.
        disagreements: See `compare`.

    Raises:
        UserError: As `compare`.
    """
    check_alike(runs)
    first, *others = runs
    found = [compare(first, other, metrics, disagreements=disagreements) for other in others]
    return tuple(adjusted(found))


def compare(
    first: FinishedRun, second: FinishedRun, metrics: Sequence[str], *, disagreements: int = 20
) -> Comparison:
    """Compare two runs question by question.

    Args:
        first: The run that is compared.
        second: The run it is compared with; positive differences favour the first.
        metrics: Metric names, the one that matters first.
        disagreements: How many questions to list at most.

    Raises:
        UsageError: The runs are not alike.
        RunStateError: A run is unfinished.
        UnknownName: No question has a value of any of the metrics in both runs.
    """
    check_alike([first, second])
    known = [name for name in metrics if paired(first, second, name)[0]]
    if not known:
        for run in (first, second):
            if {row.status for row in run.scores} == {"failed"}:
                raise UsageError(
                    f"every question of {run.name} failed, so it has no score to compare",
                    "`membench show` tells the cause; `membench run --resume` tries again.",
                )
        shared = set(first.summary.metrics) & set(second.summary.metrics)
        raise UnknownName("metric of both runs", metrics[0] if metrics else "", shared)
    return Comparison(
        first=first,
        second=second,
        metrics=tuple(c for name in known for c in compared_metric(first, second, name)),
        costs=tuple(compared_costs(first, second)),
        incomparable=tuple(cost_differences([first.key, second.key])),
        disagreements=tuple(disagreeing(first, second, known[0])[:disagreements]),
        undetermined=tuple(name for name in metrics if name not in known),
    )


@dataclass(frozen=True)
class QuestionPair:
    """One question with the value of either run."""

    row: Score
    first: float
    second: float


def values_by_item(
    run: FinishedRun, metric: str
) -> dict[tuple[str, str, str], tuple[Score, float]]:
    """Rows with a value by kind, case and item; failed rows count 0, as in a headline.

    None where every row of the metric failed: what was never given has no score.
    """
    if all(row.values.get(metric) is None for row in run.scores):
        return {}
    found = {}
    for row in run.scores:
        value = row.values.get(metric)
        if value is None and metric in row.values and row.status == "failed":
            value = 0.0
        if value is not None:
            found[row.kind, row.case_id, row.item_id] = (row, value)
    return found


def paired(first: FinishedRun, second: FinishedRun, metric: str) -> tuple[list[QuestionPair], int]:
    """Questions with a value in both runs, and the number with a value in only one."""
    a, b = values_by_item(first, metric), values_by_item(second, metric)
    pairs = [QuestionPair(a[key][0], a[key][1], b[key][1]) for key in a if key in b]
    return pairs, len(a) + len(b) - 2 * len(pairs)


def compared_metric(
    first: FinishedRun, second: FinishedRun, metric: str
) -> Iterator[MetricComparison]:
    """A metric over all questions, then by category where there are several."""
    pairs, unpaired = paired(first, second, metric)
    yield pairs_compared(metric, None, pairs, unpaired)
    by_category: dict[str, list[QuestionPair]] = defaultdict(list)
    for pair in pairs:
        if pair.row.category is not None:
            by_category[pair.row.category].append(pair)
    if len(by_category) > 1:
        order = [name for name in first.summary.categories if name in by_category]
        for name in order:
            yield pairs_compared(metric, name, by_category[name], 0)


def pairs_compared(
    metric: str, category: str | None, pairs: Sequence[QuestionPair], unpaired: int
) -> MetricComparison:
    """One line of a comparison."""
    a, b = [pair.first for pair in pairs], [pair.second for pair in pairs]
    clusters = [pair.row.case_id for pair in pairs]
    gap = difference(a, b, clusters)
    binary = bool(pairs) and set(a) | set(b) <= {0.0, 1.0}
    return MetricComparison(
        metric=metric,
        category=category,
        first=sum(a) / len(a) if a else None,
        second=sum(b) / len(b) if b else None,
        difference=gap,
        sign_flip=sign_flip(a, b, clusters) if gap.clusters > 1 else None,
        table=contingency(a, b) if binary else None,
        visible=visible_by_cases(gap),
        unpaired=unpaired,
    )


def disagreeing(first: FinishedRun, second: FinishedRun, metric: str) -> list[Disagreement]:
    """Questions with different values, largest gap first, then by id."""
    pairs, _ = paired(first, second, metric)
    apart = [pair for pair in pairs if pair.first != pair.second]
    apart.sort(key=lambda pair: (-abs(pair.first - pair.second), pair.row.item_id))
    return [Disagreement(p.row.item_id, p.row.category, p.first, p.second) for p in apart]


# --- costs --------------------------------------------------------------------------------------


def compared_costs(first: FinishedRun, second: FinishedRun) -> Iterator[CostComparison]:
    """Costs that both runs know, stages first; those of a machine only where it was the same."""
    unlike = {found.part for found in cost_differences([first.key, second.key])}
    for part in PER:
        for cost in COSTS.values():
            if comparable(cost, unlike) and (line := compared_cost(first, second, part, cost)):
                yield line


def comparable(cost: Cost, unlike: set[str]) -> bool:
    """Whether a cost compares although some parts of the key's `cost` differ."""
    if cost.depends_on == "machine":
        return all(part.startswith(METER) for part in unlike)
    return cost.depends_on == "nothing" or not unlike


def compared_cost(
    first: FinishedRun, second: FinishedRun, part: str, cost: Cost
) -> CostComparison | None:
    """One cost; None where a run does not know it or neither paid anything."""
    ours, theirs = first.mean_cost(part, cost), second.mean_cost(part, cost)
    if ours is None or theirs is None or not (ours or theirs):
        return None
    joules = cost.id == "joules"
    return CostComparison(
        cost=name_of(part, cost),
        per=PER[part],
        first=ours,
        second=theirs,
        ratio=ratio_of(ours, theirs, first.case_costs(part, cost), second.case_costs(part, cost)),
        provenance=str(first.key.cost.energy_provenance) if joules else None,
    )


def ratio_of(
    ours: float,
    theirs: float,
    first: Mapping[str, float] | None,
    second: Mapping[str, float] | None,
) -> Ratio:
    """Ratio of two means, with the interval that the totals by case give it.

    The means are those of the summaries: calls that came after their phase was closed are in
    them and in no record, so the interval is moved, on the log scale, to the ratio of the means.
    """
    value = ours / theirs if ours > 0 and theirs > 0 else None
    cases = sorted(first.keys() & second.keys()) if first and second else []
    found = cost_ratio([(first or {})[c] for c in cases], [(second or {})[c] for c in cases], cases)
    if value is None or found.value is None or found.ci95 is None:
        return Ratio(value, None, found.n, found.clusters)
    low, high = (end * value / found.value for end in found.ci95)
    return Ratio(value, (low, high), found.n, found.clusters)


# --- several p values at once -------------------------------------------------------------------


def adjusted(comparisons: Sequence[Comparison]) -> list[Comparison]:
    """The comparisons with every p value adjusted by Holm for those that are shown with it.

    Lines over all questions are one family, lines by category another, so that a breakdown does
    not blunt the headline; each of the three tests is adjusted by itself.
    """
    families: dict[str, list[MetricComparison]] = defaultdict(list)
    for comparison in comparisons:
        for line in comparison.metrics:
            families[family_of(line)].append(line)
    found = {id(line): p for name, lines in families.items() for line, p in family(name, lines)}
    return [
        replace(
            comparison,
            metrics=tuple(replace(line, adjusted=found[id(line)]) for line in comparison.metrics),
        )
        for comparison in comparisons
    ]


def family_of(line: MetricComparison) -> str:
    """Which lines a line is adjusted with."""
    return "all questions" if line.category is None else "by category"


def family(
    name: str, lines: Sequence[MetricComparison]
) -> Iterator[tuple[MetricComparison, AdjustedP]]:
    """The adjusted p values of one family."""
    tests = (
        holm_known([line.difference.p for line in lines]),
        holm_known([line.sign_flip for line in lines]),
        holm_known([line.mcnemar for line in lines]),
    )
    for line, t, flip, mcnemar in zip(lines, *tests, strict=True):
        yield line, AdjustedP(t, flip, mcnemar, name, len(lines))


def holm_known(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment of those that are known."""
    known = iter(holm([p for p in p_values if p is not None]))
    return [None if p is None else next(known) for p in p_values]


def adjustment_text(comparisons: Sequence[Comparison]) -> str:
    """Which p values were adjusted together."""
    found = {
        line.adjusted.family: line.adjusted.lines
        for comparison in comparisons
        for line in comparison.metrics
        if line.adjusted is not None
    }
    families = "; ".join(f"{name}, {lines} lines" for name, lines in found.items())
    return f"Every p is adjusted by Holm within its family, each test by itself: {families}."


# --- reading ------------------------------------------------------------------------------------


def load(path: Path) -> FinishedRun:
    """Read a finished run.

    Raises:
        RunStateError: It is no run, is unfinished, damaged, or of a newer schema.
    """
    run = open_run(path)
    summary, manifest = run.summary(), run.manifest()
    if not run.scores.is_file():
        raise RunStateError(f"run {run.run_id} has no scores.jsonl", f"membench score {path}")
    scores = read_scores(run.scores)
    costs = case_costs(scores, opaque_ids(summary.task, manifest.spec.seed))
    for journal in (run.play, run.answers):
        costs.add(read_lines(journal))
    granted = "evidence_grant" in manifest.system.capabilities
    return FinishedRun(summary, scores, costs.totals(), granted)


def case_costs(scores: Iterable[Score], opaque: Callable[[str], str]) -> CaseCosts:
    """Costs by case of the cases that have scores, before any record was read.

    Args:
        scores: Score rows.
        opaque: From an official case id to the opaque one.
    """
    official = {opaque(case): case for case in {row.case_id for row in scores}}
    asked = {
        (row.case_id, row.event)
        for row in scores
        if row.kind == "question" and row.event is not None
    }
    return CaseCosts(official, asked)
