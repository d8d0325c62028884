"""`membench compare RUN RUN...`: differences with intervals and tests, costs, disagreements."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

from rich.table import Table

from membench.cli.output.console import err, out, show
from membench.cli.output.listing import print_json
from membench.domain.errors import UsageError
from membench.domain.labels import JsonObject
from membench.experiments.adjust import adjustment_text
from membench.experiments.comparable import check_alike
from membench.experiments.compare import compare_with_first, headline, main_metric
from membench.experiments.comparison import Comparison, CostComparison, MetricComparison
from membench.experiments.finished_run import FinishedRun
from membench.leaderboard.store.finished_bundle import load_run
from membench.metrics.numbers import counted, significant
from membench.metrics.paired import visible_difference
from membench.metrics.statistics import ENOUGH_CASES, interval_text

SHOWN = 10
"""Disagreeing questions that are printed; `--json` has more."""


def print_compare(
    paths: Sequence[Path], *, metric: str | None, plot: Path | None, cost: str, as_json: bool
) -> None:
    """Compare the first run with each of the others, and draw all of them if asked.

    Args:
        paths: Run directories or bundles, two or more.
        metric: The one metric to compare; None for the task's headline.
        plot: File to draw accuracy against cost into.
        cost: Which cost the drawing shows.
        as_json: Print JSON alone on stdout.

    Raises:
        UserError: A run is missing, unfinished or unlike the others, or nothing can be drawn.
    """
    if len(paths) < 2:
        raise UsageError("compare needs at least two runs", "membench compare RUN RUN")
    runs = [load_run(path) for path in paths]
    check_alike(runs)
    metrics = [metric] if metric else headline(runs[0])
    comparisons = compare_with_first(runs, metrics)
    if as_json:
        print_json([comparison_json(item) for item in comparisons])
    else:
        for item in comparisons:
            print_comparison(item)
        out().print(f"\n{adjustment_text(comparisons)}", markup=False)
        out().print("(--json has them without the adjustment, too.)", markup=False)
        for line in legend(comparisons):
            out().print(line, markup=False)
    if plot is not None:
        draw(plot, runs, metrics[0] if metric else main_metric(runs[0]), cost)


def draw(file: Path, runs: Sequence[FinishedRun], metric: str, cost: str) -> None:
    """Draw the runs, and say which cannot be drawn."""
    from membench.leaderboard.rendering.plot import marks, write_plot

    found = marks(runs, metric, cost)
    write_plot(file, found, metric, cost)
    drawn = {mark.run_id for mark in found}
    for run in runs:
        if run.name not in drawn:
            err().print(f"note: {run.name} has no {cost} above zero and is not drawn", markup=False)
    err().print(f"plot: {file}", markup=False)


def comparison_json(item: Comparison) -> JsonObject:
    """A comparison as JSON; runs by their ids."""
    return {
        "first": item.first.name,
        "second": item.second.name,
        "metrics": [metric_json(line) for line in item.metrics],
        "costs": [asdict(line) for line in item.costs],
        "incomparable": [asdict(line) for line in item.incomparable],
        "disagreements": [asdict(line) for line in item.disagreements],
        "undetermined": list(item.undetermined),
    }


def metric_json(line: MetricComparison) -> JsonObject:
    """One line of a comparison as JSON, with McNemar's p where there is a table."""
    return {**asdict(line), "mcnemar": line.mcnemar}


def print_comparison(item: Comparison) -> None:
    """Print one comparison for a person."""
    console = out()
    console.print()
    console.print(f"first {label(item.first)} against second {label(item.second)}", markup=False)
    console.print(verdict(item), markup=False)
    for metric in dict.fromkeys(line.metric for line in item.metrics):
        console.print()
        show(metric_table([line for line in item.metrics if line.metric == metric]))
    for line in remarks(item):
        console.print(line, markup=False)
    if item.costs:
        console.print()
        show(cost_table(item.costs))
    for difference in item.incomparable:
        console.print(f"costs of unlike machines not compared: {difference}", markup=False)
    if item.disagreements:
        console.print()
        show(disagreement_table(item))


SIGNIFICANT = 0.05


def verdict(item: Comparison) -> str:
    """The first metric in one sentence: by how much, how surely, and whether chance explains it."""
    line = item.metrics[0]
    gap, (first, second) = line.difference, names_apart(item)
    if not gap.value:
        return f"{line.metric}: {first} and {second} are equal over {counted(gap.n, 'question')}."
    way = "higher" if gap.value > 0 else "lower"
    text = f"{line.metric}: {first} is {abs(gap.value):.3f} {way} than {second}"
    if gap.ci95 is None or gap.clusters < ENOUGH_CASES or line.adjusted is None:
        return f"{text}; too few cases ({gap.clusters}) to tell whether by chance."
    p = line.adjusted.t
    if p is None:
        return f"{text}; no test says whether by chance."
    interval = f"[{gap.ci95[0]:.3f}, {gap.ci95[1]:.3f}]"
    sure = "significant" if p < SIGNIFICANT else "not significant"
    return f"{text} {interval}; {sure}{adjusted_over(item)} (p {probability(p)})."


def names_apart(item: Comparison) -> tuple[str, str]:
    """What two runs are called in a sentence: by their systems, or by their ids where one's."""
    first, second = item.first, item.second
    if first.summary.system != second.summary.system:
        return first.summary.system, second.summary.system
    return first.name, second.name


def adjusted_over(item: Comparison) -> str:
    """Over how much the p value of a headline was adjusted."""
    found = item.metrics[0].adjusted
    if found is None or found.lines < 2:
        return ""
    own = sum(line.category is None for line in item.metrics)
    return f" after adjusting over {found.lines} {'metrics' if own == found.lines else 'tests'}"


def legend(comparisons: Sequence[Comparison]) -> Iterator[str]:
    """What the headings say."""
    yield "diff: first less second, over questions with a value in both runs."
    yield "95 % interval: by case, not adjusted; it may leave out 0 where the adjusted p does not."
    yield "p: t test by case; flip p: of swapping the two runs case by case, at random."
    if any(line.table for item in comparisons for line in item.metrics):
        yield "McNemar: of the questions that one run has right and the other wrong, cases aside."


def label(run: FinishedRun) -> str:
    """System and run id."""
    return f"{run.summary.system} ({run.name})"


def metric_table(lines: Sequence[MetricComparison]) -> Table:
    """One metric over all questions and by category; every p value is the adjusted one."""
    table = Table(box=None, pad_edge=False, header_style="bold", title_justify="left")
    table.title = lines[0].metric
    table.add_column("", no_wrap=True)
    binary = any(line.table for line in lines)
    names = ["n", "first", "second", "diff", "95 % interval", "p", "flip p"]
    for name in [*names, "McNemar"] if binary else names:
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        cells = metric_cells(line)
        if binary:
            cells.append("" if line.adjusted is None else probability(line.adjusted.mcnemar))
        table.add_row(line.category or "all", *cells)
    return table


def metric_cells(line: MetricComparison) -> list[str]:
    """The figures of one line."""
    gap = line.difference
    return [
        str(gap.n),
        number(line.first),
        number(line.second),
        signed(gap.value),
        interval_text(gap.ci95, gap.clusters, "{:+.3f} to {:+.3f}"),
        probability(line.adjusted.t if line.adjusted else None),
        probability(line.adjusted.sign_flip if line.adjusted else None),
    ]


def remarks(item: Comparison) -> list[str]:
    """What the numbers can and cannot show."""
    first = item.metrics[0]
    lines = [""]
    if first.visible is not None:
        assumed = visible_difference(first.difference.n)
        lines.append(
            f"smallest difference in {first.metric} that this could show: "
            f"{first.visible.significant:.3f}, with 80 % power {first.visible.powered:.3f}"
        )
        lines.append(
            "(were questions independent of their cases, and the runs apart on 20 % of them: "
            f"{assumed.significant:.3f}, with 80 % power {assumed.powered:.3f})"
        )
    if item.undetermined:
        lines.append(f"no value in both runs: {', '.join(item.undetermined)}")
    unpaired = {line.metric: line.unpaired for line in item.metrics if line.unpaired}
    lines += [
        f"{name}: {counted(n, 'question')} with a value in one run only"
        for name, n in unpaired.items()
    ]
    for run in (item.first, item.second):
        if failed := run.summary.counts.failed:
            lines.append(f"{run.name}: {counted(failed, 'question')} failed, counted as wrong")
    return lines


def cost_table(lines: Sequence[CostComparison]) -> Table:
    """Costs and their ratios."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("cost", no_wrap=True)
    table.add_column("per", no_wrap=True)
    for name in ("first", "second", "ratio", "95 % interval"):
        table.add_column(name, justify="right", no_wrap=True)
    for line in lines:
        value = line.ratio.value
        ends = None if line.ratio.ci95 is None else tuple(map(significant, line.ratio.ci95))
        table.add_row(
            line.cost if line.provenance is None else f"{line.cost} ({line.provenance})",
            line.per,
            significant(line.first, 4),
            significant(line.second, 4),
            significant(value),
            interval_text(ends, line.ratio.clusters if value else 0, "{} to {}"),
        )
    return table


def disagreement_table(item: Comparison) -> Table:
    """The questions on which they differ most."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("disagreeing question", "category"):
        table.add_column(name, no_wrap=True)
    for name in ("first", "second"):
        table.add_column(name, justify="right", no_wrap=True)
    for row in item.disagreements[:SHOWN]:
        table.add_row(row.item_id, row.category or "", number(row.first), number(row.second))
    return table


def number(value: float | None) -> str:
    """A score; a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


def signed(value: float | None) -> str:
    """A difference; a dash where there is none."""
    return "-" if value is None else f"{value:+.3f}"


def probability(p: float | None) -> str:
    """A p value."""
    return "-" if p is None else "<0.001" if p < 0.001 else f"{p:.3f}"
