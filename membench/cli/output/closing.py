"""What a run came to in words: headline, floor and ceiling, price of an answer, what to do next."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import membench
from membench.domain.counted import counted
from membench.domain.errors import RunStateError
from membench.energy.figure import BADGE
from membench.leaderboard.store.rows import comparison_group, lower_is_better, reference_of
from membench.metrics.names import is_fraction
from membench.metrics.numbers import significant
from membench.metrics.statistics import ENOUGH_CASES, interval_text
from membench.readers.registry import reads_nothing
from membench.records.costs import COSTS, QUESTION, mean_cost
from membench.records.manifest import SCHEMA, Manifest
from membench.records.run_directory import RunDir
from membench.records.summary import Summary, scored_value
from membench.tasks.card import TaskCard
from membench.tasks.find import SAMPLE
from membench.tasks.registry import get_task
from membench.tasks.wording import PREFIXES, leading_metrics, metric_words

PRICED = ("usd", "tokens", "seconds", "joules")
"""Costs that are told per correct answer."""

SHOWN_REFERENCES = ("floor", "ceiling")


def card_of(summary: Summary) -> TaskCard:
    """The card of a summary's task."""
    return get_task(summary.task).card


def main_name(summary: Summary) -> str | None:
    """The metric that says most: the task's main one, or what can be had without a judge.

    Returns:
        Its name; None where nothing has a value.
    """
    card = card_of(summary)
    known = {name for name in summary.metrics if value_of(summary, name) is not None}
    return next(iter(leading_metrics(card, known)), None)


def value_of(summary: Summary, name: str) -> float | None:
    """A metric's value; None where there is none."""
    return scored_value(summary.metrics, name)


def words_of(card: TaskCard, metric: str) -> str:
    """A metric in words, as its task calls it."""
    return metric_words(card, metric).meaning


def result_lines(summary: Summary, path: Path | None) -> Iterator[str]:
    """The headline with what it lies between, and what a correct answer cost."""
    name = main_name(summary)
    if name is None:
        yield "RESULT: none; no question of this run has a score"
        return
    metric, card = summary.metrics[name], card_of(summary)
    interval = interval_text(metric.ci95, metric.clusters, "95 % interval {:.3f} to {:.3f}")
    less = ", less is better" if lower_is_better(summary.task, name) else ""
    yield f"RESULT: {words_of(card, name)}: {metric.value:.3f}{less}"
    few = metric.clusters < ENOUGH_CASES
    shown = " (too few for an interval)" if few else f", {interval}"
    yield f"  {name}, n {metric.n}, {counted(metric.clusters, 'case')}{shown}"
    if between := reference_text(summary, name, path):
        yield f"  {between}"
    if price := price_text(summary, name):
        yield f"  per correct answer: {price} (recall and answer)"


# --- floor and ceiling ----------------------------------------------------------------------------


def reference_text(summary: Summary, metric: str, path: Path | None) -> str:
    """What knowing nothing and knowing the evidence give under the same conditions."""
    found = references(summary, path)
    parts = []
    for kind in SHOWN_REFERENCES:
        values = [
            f"{value:.3f} ({system}{where})"
            for (reference, system), (other, where) in sorted(found.items())
            if reference == kind and (value := value_of(other, metric)) is not None
        ]
        if values:
            parts.append(f"{kind} {', '.join(values)}")
    return "; ".join(parts)


def references(summary: Summary, path: Path | None) -> dict[tuple[str, str], tuple[Summary, str]]:
    """Reference and system -> its summary under an equal key, and where it is from.

    Runs beside this one go before published ones.
    """
    folders = [(folder / summary.task, ", published") for folder in published_folders()]
    if path is not None:
        folders.insert(0, (path.parent, ""))
    found: dict[tuple[str, str], tuple[Summary, str]] = {}
    for folder, where in folders:
        for run, manifest in alike(summary, folder):
            system = manifest.system
            key = (reference_of(system), system.name)
            if key[0] not in SHOWN_REFERENCES or system.name == summary.system or key in found:
                continue
            if (other := summary_if_any(run)) is not None:
                found[key] = (other, where)
    return found


def published_folders() -> list[Path]:
    """Published rows of the checkout that membench is run in or from, if it is one."""
    roots = dict.fromkeys((Path.cwd(), Path(membench.__file__).resolve().parents[1]))
    return [root / "results" for root in roots if (root / "results" / "badges").is_dir()]


def alike(summary: Summary, folder: Path) -> list[tuple[RunDir, Manifest]]:
    """Other finished runs in a folder that compare with this one, newest first.

    A run that is damaged, or of a newer schema, is passed over.
    """
    group = comparison_group(summary.comparison_key)
    found: list[tuple[RunDir, Manifest]] = []
    for path in sorted(folder.glob("*/manifest.json")):
        try:
            run = RunDir.open(path.parent)
            manifest = run.manifest()
        except RunStateError:
            continue
        if (
            manifest.schema == SCHEMA
            and manifest.run_id != summary.run_id
            and comparison_group(manifest.comparison_key) == group
            and run.finished()
        ):
            found.append((run, manifest))
    return sorted(found, key=lambda each: each[1].created_utc, reverse=True)


def to_compare_with(summary: Summary, folder: Path) -> RunDir | None:
    """The newest run that compares with this one; floor and ceiling, already shown, come last."""
    others = alike(summary, folder)
    systems = [run for run, its in others if reference_of(its.system) not in SHOWN_REFERENCES]
    return next(iter([*systems, *(run for run, _ in others)]), None)


def summary_if_any(run: RunDir) -> Summary | None:
    """The summary of a run; None where there is none, or it is damaged."""
    try:
        return run.summary()
    except RunStateError:
        return None


# --- price, judge, next ---------------------------------------------------------------------------


def price_text(summary: Summary, metric: str) -> str:
    """Costs of a question divided by the share of correct answers; empty where none is known."""
    accuracy, card = value_of(summary, metric), card_of(summary)
    answers = metric == card.main_metric and is_fraction(metric)
    if not accuracy or not answers or lower_is_better(summary.task, metric):
        return ""
    means = {name: mean_cost(summary, COSTS[name], QUESTION) for name in PRICED}
    return ", ".join(
        f"{significant(mean / accuracy)} {COSTS[name].unit}" for name, mean in means.items() if mean
    )


def judge_line(summary: Summary, path: Path | None) -> str:
    """What only a judge can say; empty where nothing is missing, or nobody answered."""
    card = card_of(summary)
    if (
        is_unread(summary)
        or not card.judges
        or summary.judge
        or value_of(summary, card.main_metric) is not None
    ):
        return ""
    how = "--verdicts FILE" if path is None else "membench judge, below"
    return f"not scored without a judge ({how}): {words_of(card, card.main_metric)}"


def is_unread(summary: Summary) -> bool:
    """Whether a run has no answers."""
    reader = summary.comparison_key.reader
    return reader is not None and reads_nothing(reader)


def next_lines(summary: Summary, path: Path | None) -> Iterator[str]:
    """Commands that go on from here, with real paths."""
    if path is None or not path.is_dir():
        return
    if not (path / "play.jsonl").exists():  # predictions made elsewhere: nothing to judge or open
        yield f"next: membench compare {path} OTHER"
        return
    shown = f"membench show {path} ID"
    if is_unread(summary):
        yield f"next: membench read {path} --reader READER --out {path.parent}"
        yield f"      {shown}"
    elif judge_line(summary, path):
        yield f"next: membench judge {path} --judge MODEL --out {path.parent}"
        yield f"      {shown}"
    else:
        yield f"next: {shown}"
    other = to_compare_with(summary, path.parent)
    if other is not None:
        yield f"      membench compare {path} {other.path}"
    else:
        own = card_of(summary).own_files
        task = "FILE" if own else f"{summary.task} --split {summary.split}"
        start = f"membench run --task {task}"
        yield f"      {start} --system OTHER --out {path.parent}, then membench compare"
    yield f"      membench report {path} --html {path.name}.html"
    ranked = summary.split != SAMPLE and not card_of(summary).own_files
    if summary.complete and ranked:
        yield f"      membench submit {path} --to results"


def sign_line(provenances: set[str]) -> str:
    """What the signs beside joules mean; empty where none is shown."""
    known = [f"{sign} {label}" for label, sign in BADGE.items() if label.value in provenances]
    return f"signs: {', '.join(known)}" if known else ""


def prefix_lines(names: list[str]) -> Iterator[str]:
    """What the prefixes among some metrics' names say."""
    for prefix, meaning in PREFIXES.items():
        if any(name.startswith(prefix) for name in names):
            yield f"{prefix}: {meaning}"
