"""The Leaderboard page: who remembers how well, at what cost.

Ranks exist inside one **group** (everything of the comparison key that scores depend on) and are
computed over the whole group, so that filters move nobody. A row is one configuration of a
system; of several attempts at it the median one stands for all, and their number is shown.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from membench.domain.labels import JsonView
from membench.leaderboard.store.index import Frame, Index
from membench.leaderboard.store.ranking import Rank, ScoreTable, frontier_shares, rank_rows, stacked
from membench.leaderboard.store.rows import RowFigure, task_class
from membench.leaderboard.views.cost_units import CostUnit, cost_unit
from membench.leaderboard.views.gain import BASELINES, frontier_gains
from membench.metrics.frontier import Point, frontier
from membench.records.costs import COSTS, FORMER_IDS, QUESTION, SETUP
from membench.tasks.find import SAMPLE
from membench.tasks.wording import MetricWords, judge_wanted, leading_metrics, metric_words

CEILING = "a ceiling: it is granted the evidence"
"""Why a control that sees gold is shown and never ranked."""

AXES = ("joules", "cpu_s", "sent_tokens", "context_tokens")
"""Costs in the order in which a board opens on them; the last one every run has."""

ENOUGH_ROWS = 2
"""Rows that must have a cost before a board opens on it."""

ANY_METER = "all"
"""Instead of one meter: joules of every provenance and boundary, beside each other."""

STRENGTH = ("measured", "modelled", "estimated", "unavailable")
"""Provenances, the strongest first."""

OFTEN = 0.5
"""A point belongs to the frontier if it is on it in at least this share of resamples."""


@dataclass(frozen=True)
class RowFilter:
    """Which rows are shown; it moves nobody's rank.

    Attributes:
        every: Whether each configuration has a row, or each system its best one alone.
        search: Part of a name; empty for all.
        kinds: Kinds of systems to show; empty for all.
        badges: Score badges to show; empty for all.
        local: Whether only rows are shown whose models, if any, ran on the machine itself.
    """

    every: bool = True
    search: str = ""
    kinds: tuple[str, ...] = ()
    badges: tuple[str, ...] = ()
    local: bool = False

    def keeps(self, row: BoardRow) -> bool:
        """Whether a row is shown, its configuration left aside."""
        return (
            self.search.lower() in row.label.lower()
            and (not self.kinds or row.fidelity in self.kinds)
            and (not self.badges or row.badge in self.badges)
            and (row.local or not self.local)
        )

    @property
    def text(self) -> str:
        """In a few words; empty where every row is shown."""
        parts = [f'"{self.search}"'] if self.search else []
        parts += [*self.kinds, *self.badges, *(["runs offline"] if self.local else [])]
        return ", ".join(parts)


@dataclass(frozen=True)
class BoardQuery:
    """What a reader has picked; every field is a query parameter.

    Attributes:
        task: `task:split`.
        division: Division.
        group: Comparison group; empty takes the largest.
        metric: Metric; empty takes the task's main one.
        axis: Kind of cost, the id of a main cost; empty takes joules where rows have them.
        scope: `query`, or `total` with the history's setup spread over its questions.
        machine: Time or energy group, where costs depend on the machine; empty takes the
            largest, of joules the one with the strongest provenance. `ANY_METER` puts joules of
            unlike provenance on one frontier.
        budget: Highest cost per question; None for no limit.
        least: Lowest score; 0 for no limit. For metrics where more is better.
        most: Highest score; 1 for no limit. For metrics where less is better.
        rows: Which rows are shown.
        unit: What joules are read in (`views.cost_units`); empty for joules. The highest cost is
            in it.
    """

    task: str = ""
    division: str = ""
    group: str = ""
    metric: str = ""
    axis: str = ""
    scope: str = "query"
    machine: str = ""
    budget: float | None = None
    least: float = 0.0
    most: float = 1.0
    rows: RowFilter = RowFilter()
    unit: str = ""

    @property
    def cost(self) -> CostUnit:
        """The cost as it is shown."""
        return cost_unit(self.axis, self.unit)

    @property
    def lower(self) -> bool:
        """Whether less of the metric is better."""
        return bool(self.metric) and self.words.lower

    @property
    def task_name(self) -> str:
        """The task without its split."""
        return self.task.partition(":")[0]

    @cached_property
    def words(self) -> MetricWords:
        """The metric for people; every row asks."""
        return metric_words(task_class(self.task_name).card, self.metric)


@dataclass(frozen=True)
class BoardRow:
    """One line of the table.

    Attributes:
        run_id: The bundle behind it.
        label: System and the parameters that were set.
        system: System alone.
        submitter: Who handed it in; empty where nobody wrote that down.
        fidelity: `package`, `native`, `control`, ...
        reference: What others are compared with it as, empty for a system like any other.
        score: Main figure; None if undetermined.
        cost: Cost per question on the chosen axis; None if unavailable.
        setup: Cost per history on the chosen axis; None if unavailable.
        context: Context tokens per question, whatever the axis: how much a score was given to read.
        rank: Place and range; None for a row that is not ranked.
        why: Why it is not ranked, empty if it is.
        share: Share of resamples in which it is on the frontier; None without an interval.
        front: Whether it is on the frontier of the point estimates.
        gain: What it adds to the baselines' frontier (`views.gain`); None for a baseline, and
            where no baseline's cost stands beside its own.
        badge: Score badge.
        joined: Whether its cost may stand on one frontier with those of the chosen machine.
        boundary: What its joules were counted around; empty without any.
        local: Whether its models, if any, ran on the machine itself: no service is needed.
        energy: Provenance of its joules.
        energy_verified: Whether its attempts together pass every check of their validity.
        attempts: Bundles of this configuration.
        questions: Questions asked.
        created: Date of the run.
        flags: Remarks, keys of `FLAGS`.
        isolation: Where its code ran; empty where nobody wrote that down.
        network: How long a connection to a hosted system takes; empty for any other.
    """

    run_id: str
    label: str
    system: str
    submitter: str
    fidelity: str
    reference: str
    score: RowFigure | None
    cost: RowFigure | None
    setup: RowFigure | None
    context: RowFigure | None
    rank: Rank | None
    why: str
    share: float | None
    front: bool
    gain: RowFigure | None
    joined: bool
    badge: str
    boundary: str
    local: bool
    energy: str
    energy_verified: bool
    attempts: int
    questions: int
    created: str
    flags: tuple[str, ...]
    isolation: str = ""
    network: str = ""


@dataclass(frozen=True)
class Board:
    """The page.

    Attributes:
        choice: What it shows, with empty fields filled in.
        rows: Rows to show, best first.
        points: Rows within filters and limits, every configuration: what charts draw.
        all_rows: Rows before budgets were applied.
        hidden: Rows of other machines that the chart leaves out.
        groups: Group -> its protocol in words, largest first.
        machines: What costs compare by -> machine in words, largest first; empty where costs do
            not depend on the machine.
        metrics: Metrics there are, main one first.
        energy_wanted: Which rows lack joules and how to get them; empty where none does.
        judge_wanted: What was not judged and how to get it; empty where nothing is missing.
        reading: What the budgets select, in words; empty without any.
    """

    choice: BoardQuery
    rows: tuple[BoardRow, ...]
    points: tuple[BoardRow, ...]
    all_rows: tuple[BoardRow, ...]
    hidden: int
    groups: Mapping[str, str]
    machines: Mapping[str, str]
    metrics: tuple[str, ...]
    energy_wanted: str
    judge_wanted: str
    reading: str


# --- what can be picked ------------------------------------------------------------------------


def tasks(index: Index) -> list[str]:
    """`task:split` of every bundle: published benchmarks first, then those with most bundles."""
    runs = listed(index.runs)
    if not len(runs):
        return []
    counts = (runs["task"] + ":" + runs["split"]).value_counts()
    return sorted(counts.index, key=opening_order)


def opening_order(task: str) -> tuple[bool, bool]:
    """Benchmarks with published data come before made-up histories, and samples last."""
    name, _, split = task.partition(":")
    return split == SAMPLE, not task_class(name).card.files


def divisions(index: Index, task: str) -> list[str]:
    """Divisions with bundles of a task, most first."""
    return list(of_task(index.runs, task)["division"].value_counts().index)


def listed(runs: Frame) -> Frame:
    """Bundles that are there: no tombstones without one."""
    return runs[runs["split"].notna()] if "split" in runs else runs.iloc[0:0]


def of_task(runs: Frame, task: str) -> Frame:
    """Bundles of `task:split`."""
    name, _, split = task.partition(":")
    runs = listed(runs)
    return runs[(runs["task"] == name) & (runs["split"] == split)] if len(runs) else runs


def metric_names(index: Index, run_ids: Sequence[str], task: str) -> tuple[str, ...]:
    """Headline metrics that some run has, the one to rank by first."""
    card = task_class(task.partition(":")[0]).card
    mine = index.figures[index.figures["run_id"].isin(set(run_ids))]
    there = set(mine["name"].unique())
    return leading_metrics(card, there)


# --- the page ----------------------------------------------------------------------------------


def board(index: Index, choice: BoardQuery) -> Board:
    """Everything on the page."""
    choice = with_place(index, choice)
    runs = of_task(index.runs, choice.task)
    runs = runs[runs["division"] == choice.division] if len(runs) else runs
    groups = names_by_size(runs, "group", "protocol")
    choice = replace(choice, group=choice.group if choice.group in groups else first(groups))
    runs = runs[runs["group"] == choice.group] if len(runs) else runs
    metrics = metric_names(index, list(runs["run_id"]), choice.task) if len(runs) else ()
    choice = replace(choice, metric=choice.metric if choice.metric in metrics else first(metrics))
    choice = replace(choice, axis=choice.axis or opening_axis(index, runs))
    machines = machine_names(index, runs, choice.axis)
    known = choice.machine in machines or (choice.machine == ANY_METER and len(machines) > 1)
    choice = replace(choice, machine=choice.machine if known else first(machines))
    rows = build_rows(index, runs, choice)
    card = task_class(choice.task_name).card if rows else None
    whole = Board(
        choice,
        rows,
        rows,
        rows,
        not_on_machine(runs, choice),
        groups,
        machines,
        metrics,
        energy_wanted=energy_wanted(rows),
        judge_wanted=judge_wanted(card, set(metrics)) if card else "",
        reading="",
    )
    shown = in_unit(whole, choice.unit) if choice.unit else whole
    return limited(shown, choice.budget, choice.least, choice.most, choice.rows)


PICKED = ("task", "division", "group", "metric", "axis", "machine")
"""Fields of a choice that are filled in where they are empty, each from those before it."""


def answers(whole: Board, asked: BoardQuery, choice: BoardQuery) -> bool:
    """Whether a board, made when `asked` was asked for, is also what `choice` asks for.

    What is empty in both was filled in from the same fields before it.
    """
    filled = whole.choice
    return filled.scope == choice.scope and all(
        getattr(choice, name) == getattr(filled, name)
        or (not getattr(choice, name) and not getattr(asked, name))
        for name in PICKED
    )


def in_unit(whole: Board, unit: str) -> Board:
    """A board whose costs, which are in their own unit, are read in another one."""
    choice = replace(whole.choice, unit=unit)
    factor = choice.cost.factor
    rows = tuple(
        replace(row, cost=scaled(row.cost, factor), setup=scaled(row.setup, factor))
        for row in whole.all_rows
    )
    return replace(whole, choice=choice, rows=rows, points=rows, all_rows=rows)


def limited(
    whole: Board,
    budget: float | None,
    least: float = 0.0,
    most: float = 1.0,
    rows: RowFilter | None = None,
) -> Board:
    """A board with limits applied to its rows; ranks and frontier stay those of the whole."""
    shown = whole.choice.rows if rows is None else rows
    choice = replace(whole.choice, budget=budget, least=least, most=most, rows=shown)
    if shown == RowFilter() and not has_limits(choice):
        rows_there = whole.all_rows
        return replace(whole, choice=choice, rows=rows_there, points=rows_there, reading="")
    found = [row for row in whole.all_rows if shown.keeps(row)]
    kept, reading = within_budget(found, choice)
    points = tuple(row for row in found if fits(row, choice)) if has_limits(choice) else found
    return replace(whole, choice=choice, rows=kept, points=tuple(points), reading=reading)


def with_place(index: Index, choice: BoardQuery) -> BoardQuery:
    """Fill in task, division and axis."""
    known = tasks(index)
    task = choice.task if choice.task in known else first(known)
    there = divisions(index, task) if task else []
    division = choice.division if choice.division in there else first(there)
    axis = FORMER_IDS.get(choice.axis, choice.axis)
    axis = axis if axis in COSTS and not COSTS[axis].part_of else ""
    scope = choice.scope if choice.scope in ("query", "total") else "query"
    return replace(choice, task=task, division=division, axis=axis, scope=scope)


def first(names: Any) -> str:
    """The first of some names, or nothing."""
    return next(iter(names), "")


def names_by_size(runs: Frame, key: str, words: str) -> dict[str, str]:
    """Values of a column with their labels, the most frequent first."""
    if not len(runs):
        return {}
    counts = runs[key].value_counts()
    texts = runs.drop_duplicates(key).set_index(key)[words]
    return {str(name): str(texts[name]) for name in counts.index}


def with_cost(index: Index, runs: Frame, axis: str) -> Frame:
    """Runs whose cost per question is known on an axis."""
    figures = index.figures
    known = set(figures[figures["name"] == f"{QUESTION}.{axis}"]["run_id"])
    return runs[runs["run_id"].isin(known)] if len(runs) else runs


def opening_axis(index: Index, runs: Frame) -> str:
    """The cost that a board opens on: joules, CPU seconds or tokens, as soon as rows have any."""
    *wanted, last = AXES
    return next((a for a in wanted if len(with_cost(index, runs, a)) >= ENOUGH_ROWS), last)


def machine_names(index: Index, runs: Frame, axis: str) -> dict[str, str]:
    """What costs on an axis may stand beside each other, in words; the first one is opened on.

    The most frequent comes first; of meters, the one with the strongest provenance that more than
    one row has.
    """
    if not COSTS[axis].machine:
        return {}
    if COSTS[axis].depends_on != "meter":
        return names_by_size(runs, "time_group", "machine")
    known = with_cost(index, runs, axis)
    names = names_by_size(known, *METER)
    if len(names) < 2:
        return names
    counts = known[METER[0]].value_counts()
    labels = known.drop_duplicates(METER[0]).set_index(METER[0])["energy_provenance"]

    def order(name: str) -> tuple[bool, int]:
        return counts[name] < ENOUGH_ROWS, STRENGTH.index(labels[name])

    return {name: names[name] for name in sorted(names, key=order)}


METER = ("energy_group", "meter")
CONTEXT = f"{QUESTION}.context_tokens"


def group_of(axis: str) -> str:
    """The column that says which costs of an axis compare."""
    return METER[0] if COSTS[axis].depends_on == "meter" else "time_group"


def not_on_machine(runs: Frame, choice: BoardQuery) -> int:
    """Rows whose cost may not stand beside that of the chosen machine."""
    if not len(runs) or not COSTS[choice.axis].machine or choice.machine == ANY_METER:
        return 0
    return int(((runs[group_of(choice.axis)] != choice.machine) & ~runs["withdrawn"]).sum())


def energy_wanted(rows: Sequence[BoardRow]) -> str:
    """Which rows lack joules, and the command that gives them."""
    without = list(dict.fromkeys(row.system for row in rows if row.energy == "unavailable"))
    if not without:
        return ""
    count = sum(row.energy == "unavailable" for row in rows)
    named = ", ".join(without[:4]) + (", ..." if len(without) > 4 else "")
    return (
        f"No joules for {count} of {len(rows)} rows ({named}): run them with --energy cpu:7.5 "
        "(modelled from CPU seconds at 7.5 W), or with --energy nvml on a machine with a GPU "
        "(measured)."
    )


def build_rows(index: Index, runs: Frame, choice: BoardQuery) -> tuple[BoardRow, ...]:
    """Rows of a group, ranked ones first by rank, then the others."""
    if not len(runs) or not choice.metric:
        return ()
    figures = figure_lookup(index, runs, choice)
    rows = [plain_row(run, figures, choice) for run in runs.to_dict("records")]
    ranked = representatives([row for row in rows if not row.why], runs)
    others = [row for row in rows if row.why]
    placed = with_ranks(index, ranked, choice)
    return (*sorted(placed, key=rank_key), *sorted(others, key=lambda row: row.label))


def rank_key(row: BoardRow) -> tuple[int, float, str]:
    """Order of ranked rows; where the metric ranks nobody, the largest figure first."""
    score = row.score.value if row.score else -math.inf
    return (row.rank.rank if row.rank else 10**9, 0.0 if row.rank else -score, row.label)


def figure_lookup(
    index: Index, runs: Frame, choice: BoardQuery
) -> dict[tuple[str, str], RowFigure]:
    """The figures a page needs, by run and name."""
    names = {choice.metric, f"{QUESTION}.{choice.axis}", f"{SETUP}.{choice.axis}", CONTEXT}
    mine = index.figures[index.figures["name"].isin(names)]
    mine = mine[mine["run_id"].isin(set(runs["run_id"]))]
    return {
        (run, name): RowFigure(value, number(low), number(high), int(n), bool(few))
        for run, name, value, low, high, n, few in zip(
            *(mine[c] for c in ("run_id", "name", "value", "low", "high", "n", "few")), strict=True
        )
    }


def number(value: Any) -> float | None:
    """A float, None for what pandas calls NaN."""
    return None if value is None or math.isnan(value) else float(value)


def plain_row(
    run: JsonView, figures: Mapping[tuple[str, str], RowFigure], choice: BoardQuery
) -> BoardRow:
    """A row without its rank."""
    run_id = run["run_id"]
    query = figures.get((run_id, f"{QUESTION}.{choice.axis}"))
    setup = figures.get((run_id, f"{SETUP}.{choice.axis}"))
    score = figures.get((run_id, choice.metric))
    joined = (
        not COSTS[choice.axis].machine
        or choice.machine == ANY_METER
        or run[group_of(choice.axis)] == choice.machine
    )
    comparable = joined or COSTS[choice.axis].depends_on == "meter"
    cost = scoped(query, setup, run, choice) if comparable else None
    return BoardRow(
        run_id=run_id,
        label=run["label"],
        system=run["system"],
        submitter=run["submitter"],
        fidelity=run["fidelity"],
        reference=run["reference"],
        score=score,
        cost=cost,
        setup=setup if comparable else None,
        context=figures.get((run_id, CONTEXT)),
        rank=None,
        why=why_unranked(run, score),
        share=None,
        front=False,
        gain=None,
        joined=joined,
        badge=run["score"],
        boundary=run["energy_boundary"],
        local=bool(run["local"]),
        energy=run["energy_provenance"],
        energy_verified=bool(run["energy_verified"]),
        attempts=int(run["attempts"]),
        questions=int(run["questions"]),
        created=run["created"][:10],
        flags=tuple(run["flags"].split()),
        isolation=run["isolation"],
        network=run["network"],
    )


def scaled(figure: RowFigure | None, factor: float) -> RowFigure | None:
    """A figure in another unit."""
    if figure is None or factor == 1:
        return figure
    low, high = (None if end is None else factor * end for end in (figure.low, figure.high))
    return replace(figure, value=factor * figure.value, low=low, high=high)


def scoped(
    query: RowFigure | None, setup: RowFigure | None, run: JsonView, choice: BoardQuery
) -> RowFigure | None:
    """The cost of a question, with its share of the setup if asked for."""
    if query is None or choice.scope == "query":
        return query
    if setup is None:
        return None
    share = setup.value * run["cases"] / max(run["questions"], 1)
    low, high = (None if end is None else end + share for end in (query.low, query.high))
    return RowFigure(query.value + share, low, high, query.n, query.few)


MEMORY_GATES = {
    "failed": "with its own model it does not certainly find what raw turns give",
    "undetermined": "too few histories tell whether its own model finds what raw turns give",
    "missing": "nothing says whether its own model finds what raw turns give",
}
"""Why a row is not ranked, by what came of the gate of its system's own model."""


def why_unranked(run: JsonView, score: RowFigure | None) -> str:
    """Why a row has no rank; empty if it has one."""
    if run["withdrawn"]:
        return "withdrawn"
    if run["ceiling"]:
        return CEILING
    if run.get("handed_in"):
        return "its answers were made elsewhere and handed in"
    if run["scripted"]:
        return "a scripted model took part"
    if run["subset"]:
        return "a subset of the questions"
    if "flag.state" in str(run.get("flags", "")).split():
        return "it recalled texts of an earlier case after its reset"
    if run.get("reader_fails_gate"):
        return "its reader answers no better with the evidence than without"
    if why := MEMORY_GATES.get(str(run.get("memory_gate", ""))):
        return why
    if run.get("stores_nothing"):
        return "its store stayed empty: nothing was remembered"
    if not run["complete"]:
        return "some events failed"
    return "" if score is not None else "figure not determined"


def representatives(rows: Sequence[BoardRow], runs: Frame) -> list[BoardRow]:
    """The median attempt of each configuration, the lower one of two."""
    configuration = dict(zip(runs["run_id"], runs["configuration"], strict=True))
    by_configuration: dict[str, list[BoardRow]] = {}
    for row in rows:
        by_configuration.setdefault(configuration[row.run_id], []).append(row)
    chosen = []
    for mine in by_configuration.values():
        mine.sort(key=lambda row: (row.score.value if row.score else 0.0, row.run_id))
        chosen.append(mine[(len(mine) - 1) // 2])
    return chosen


# --- ranks and frontier ------------------------------------------------------------------------


def with_ranks(index: Index, rows: Sequence[BoardRow], choice: BoardQuery) -> list[BoardRow]:
    """Ranks over all rows of the group, and who is on the frontier."""
    if not choice.words.ranks:
        return list(rows)
    cells = cell_lookup(index, rows, (choice.metric, f"{QUESTION}.{choice.axis}"))
    paired = common_rows(rows, cells, choice.metric)
    ranks = rank_lookup(paired, cells, choice)
    alone = {row.run_id: Rank(rank, 1, len(rows)) for rank, row in by_score(rows, choice)}
    fronts = {point.name for point in frontier(points(rows, choice))}
    shares = share_lookup(paired, cells, choice)
    gained = gain_lookup(paired, cells, choice)
    return [
        replace(
            row,
            rank=ranks.get(row.run_id, alone[row.run_id]),
            front=row.run_id in fronts,
            share=shares.get(row.run_id),
            gain=gained.get(row.run_id),
        )
        for row in rows
    ]


def goodness(row: BoardRow, choice: BoardQuery) -> float:
    """The score such that more is better."""
    value = row.score.value if row.score else 0.0
    return -value if choice.lower else value


def by_score(rows: Sequence[BoardRow], choice: BoardQuery) -> list[tuple[int, BoardRow]]:
    """Ranks by value alone; ties share the better one."""
    values = [goodness(row, choice) for row in rows]
    ordered = sorted(values)
    return [
        (1 + len(values) - bisect_right(ordered, mine), row)
        for mine, row in zip(values, rows, strict=True)
    ]


def points(rows: Sequence[BoardRow], choice: BoardQuery) -> list[Point]:
    """Rows as points of a frontier, by run id."""
    return [
        Point(row.run_id, row.cost.value, goodness(row, choice))
        for row in rows
        if row.joined and row.cost is not None and row.score is not None
    ]


Lookup = dict[tuple[str, str], tuple[Sequence[float], Sequence[int]]]


def cell_lookup(index: Index, rows: Sequence[BoardRow], names: tuple[str, ...]) -> Lookup:
    """Sums by case, by run and name."""
    mine = index.cells[index.cells["name"].isin(set(names))]
    mine = mine[mine["run_id"].isin({row.run_id for row in rows})]
    columns = (mine[name] for name in ("run_id", "name", "sums", "counts"))
    return {(run, name): (sums, counts) for run, name, sums, counts in zip(*columns, strict=True)}


def common_rows(rows: Sequence[BoardRow], cells: Lookup, metric: str) -> list[BoardRow]:
    """Rows whose figure rests on the same questions, so that they can be paired."""
    sizes: dict[tuple[int, ...], list[BoardRow]] = {}
    for row in rows:
        if (row.run_id, metric) in cells:
            counts = tuple(int(n) for n in cells[row.run_id, metric][1])
            sizes.setdefault(counts, []).append(row)
    return max(sizes.values(), key=len, default=[])


def score_table(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> ScoreTable:
    """Sums of scores by case such that more is better."""
    table = stacked(
        [cells[row.run_id, choice.metric][0] for row in rows],
        cells[rows[0].run_id, choice.metric][1],
    )
    return ScoreTable(-table.sums, table.counts) if choice.lower else table


def rank_lookup(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> dict[str, Rank]:
    """Rank ranges of rows that can be paired."""
    if not rows:
        return {}
    table = score_table(rows, cells, choice)
    return dict(zip((row.run_id for row in rows), rank_rows(table), strict=True))


MOST_GAINS = 200
"""Rows up to which gains over the baselines are computed."""


def gain_lookup(
    rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery
) -> dict[str, RowFigure | None]:
    """What each row adds to the frontier of the baselines."""
    there = [row for row in rows if row.joined and row.cost is not None and row.cost.value > 0]
    baselines = [number for number, row in enumerate(there) if row.reference in BASELINES]
    if len(there) > MOST_GAINS or len(there) < 2 or choice.lower:
        return {}
    costs = [row.cost.value for row in there if row.cost]
    made = frontier_gains(score_table(there, cells, choice), costs, baselines)
    return {row.run_id: figure for row, figure in zip(there, made, strict=True)}


def share_lookup(rows: Sequence[BoardRow], cells: Lookup, choice: BoardQuery) -> dict[str, float]:
    """How often each row is on the frontier over joint resamples of the cases."""
    name = f"{QUESTION}.{choice.axis}"
    there = [
        row for row in rows if row.joined and row.cost is not None and (row.run_id, name) in cells
    ]
    if not there:
        return {}
    head = there[0].run_id
    scores = score_table(there, cells, choice)
    costs = stacked([cells[r.run_id, name][0] for r in there], cells[head, name][1])
    shares = frontier_shares(scores, costs)
    return {
        row.run_id: share for row, share in zip(there, shares, strict=True) if not math.isnan(share)
    }


# --- budgets -----------------------------------------------------------------------------------


def within_budget(rows: Sequence[BoardRow], choice: BoardQuery) -> tuple[tuple[BoardRow, ...], str]:
    """Rows that fit the budgets, and what they are in words.

    With a limit on the score, each system's cheapest setting that keeps to it; otherwise each
    system's best setting, of those within the highest cost. Without limits, every setting where
    that is asked for.
    """
    cheapest, limits = wants_cheapest(choice), has_limits(choice)
    if not limits and choice.rows.every:
        return tuple(rows), ""
    best: dict[tuple[str, str, str], BoardRow] = {}
    for row in rows:
        if limits and (row.why or not fits(row, choice)):
            continue
        place = (row.system, row.submitter, row.why)
        kept = best.get(place)
        if kept is None or preferred(row, kept, choice, cheapest=cheapest):
            best[place] = row
    chosen = {row.run_id for row in best.values()}
    words = "cheapest" if cheapest else "best"
    within = " within the limits" if limits else ""
    reading = f"the {words} setting of each system{within} ({len(best)} of {len(rows)} rows)"
    return tuple(row for row in rows if row.run_id in chosen), reading


def wants_cheapest(choice: BoardQuery) -> bool:
    """Whether the score is limited, so that the cheapest setting is looked for."""
    return choice.most < 1 if choice.lower else choice.least > 0


def has_limits(choice: BoardQuery) -> bool:
    """Whether cost or score is limited."""
    return choice.budget is not None or wants_cheapest(choice)


def settings_of(board: Board, row: BoardRow) -> tuple[BoardRow, ...]:
    """Every setting of a row's system, in the order of the whole board."""
    return tuple(
        other
        for other in board.all_rows
        if (other.system, other.submitter) == (row.system, row.submitter)
    )


def fits(row: BoardRow, choice: BoardQuery) -> bool:
    """Whether a row keeps to both limits; an unavailable cost keeps to none."""
    if choice.budget is not None and (row.cost is None or row.cost.value > choice.budget):
        return False
    if row.score is None:
        return False
    return row.score.value <= choice.most if choice.lower else row.score.value >= choice.least


def preferred(row: BoardRow, kept: BoardRow, choice: BoardQuery, *, cheapest: bool) -> bool:
    """Whether a row is the better choice of two settings of a system."""
    if not cheapest:
        return goodness(row, choice) > goodness(kept, choice)
    mine, theirs = (r.cost.value if r.cost else math.inf for r in (row, kept))
    return mine < theirs


def budget_steps(rows: Sequence[BoardRow]) -> list[float]:
    """Round limits (1, 2, 5, 10, ...) that cover the costs of some rows."""
    costs = [row.cost.value for row in rows if row.cost is not None and row.cost.value > 0]
    if not costs:
        return []
    low, high = math.floor(math.log10(min(costs))), math.ceil(math.log10(max(costs)))
    steps = [round(m * 10.0**e, 12) for e in range(low, high + 1) for m in (1, 2, 5)]
    enough = next((step for step in steps if step >= max(costs)), steps[-1])
    return [step for step in steps if min(costs) <= step <= enough]
