"""What a run came to in words: headline, floor and ceiling, price of an answer, what to do next."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

import membench
from membench.domain.errors import RunStateError
from membench.energy.figure import BADGE
from membench.leaderboard.store.rows import comparison_group, lower_is_better, reference_of
from membench.metrics.names import is_fraction
from membench.metrics.numbers import counted, significant
from membench.metrics.statistics import ENOUGH_CASES, interval_text
from membench.readers.registry import reads_nothing
from membench.records.costs import COSTS, QUESTION, mean_cost
from membench.records.manifest import SCHEMA, Manifest
from membench.records.run_directory import RunDir
from membench.records.spec import RunSpec
from membench.records.summary import Summary, scored_value
from membench.tasks.card import TaskCard
from membench.tasks.find import SAMPLE
from membench.tasks.registry import get_task
from membench.tasks.wording import PREFIXES, leading_metrics, metric_words

PRICED = ("usd", "tokens", "seconds", "joules")
"""Costs that are told per correct answer."""

CONDITIONS = frozenset(
    {
        *("limit", "cases", "k", "token_budget", "task_set", "errata", "division", "prompts"),
        *("reader", "judge", "judge_votes", "model_set"),
    }
)
"""Settings of a spec that another run must share to be compared, beside task and split."""

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


def next_lines(summary: Summary, path: Path | None, data: Path | None = None) -> Iterator[str]:
    """Commands that go on from here, with real paths.

    Args:
        summary: What a run came to.
        path: Its directory; None where there is none to go on from.
        data: Where the run was told its data is: whatever reads it again must be told, too.
    """
    if path is None or not path.is_dir():
        return
    if not (path / "play.jsonl").exists():  # predictions made elsewhere: nothing to judge or open
        yield f"next: membench compare {path} OTHER"
        return
    first, *others = next_commands(summary, RunDir.open(path), data)
    yield f"next: {first}"
    yield from (f"      {command}" for command in others)


def next_commands(summary: Summary, run: RunDir, data: Path | None) -> Iterator[str]:
    """The commands, the likeliest first."""
    path = quoted(run.path)
    told = f" --data {quoted(data)}" if data is not None else ""
    shown = f"membench show {path} ID{told}"
    if summary.counts.questions and not summary.counts.ok:
        yield f"{shown}  # with the error of a question"
        yield f"membench run --resume {path}{told}"
        return
    out = quoted(run.path.parent)
    if is_unread(summary):
        yield f"membench read {path} --reader READER --out {out}{told}"
    elif judge_line(summary, run.path):
        yield f"membench judge {path} --judge MODEL --out {out}{told}"
    yield shown
    other = to_compare_with(summary, run.path.parent)
    made_elsewhere = run.manifest().system.handed_in
    if other is not None:
        yield f"membench compare {path} {quoted(other.path)}"
    elif made_elsewhere:
        task = f"--task {summary.task} --split {summary.split}"
        yield f"membench score {task} --predictions OTHER --out {out}, then membench compare"
    else:
        yield f"{repeated(run, data)} --system OTHER --out {out}, then membench compare"
    yield f"membench report {path} --html {quoted(f'{run.path.name}.html')}"
    ranked = summary.split != SAMPLE and not card_of(summary).own_files
    if (summary.complete or made_elsewhere) and ranked and not run.manifest().subset:
        yield f"membench submit {path} --to results"


def repeated(run: RunDir, data: Path | None) -> str:
    """The command that asks another system the same under the same conditions."""
    spec = run.manifest().spec
    places = run.places()
    if get_task(places.get("task", spec.task)).card.own_files and data:
        task = quoted(data)
    else:
        task = quoted(places.get("task", spec.task))
        task += f" --split {spec.split}" + (f" --data {quoted(data)}" if data else "")
    return " ".join(("membench run --task", task, *condition_flags(spec))).strip()


def condition_flags(spec: RunSpec) -> Iterator[str]:
    """The settings without which another run would not compare, as flags."""
    for field in fields(spec):
        value = getattr(spec, field.name)
        flag = f"--{field.name.replace('_', '-')}"
        if field.name not in CONDITIONS or not value or value == field.default:
            continue
        if isinstance(value, Mapping):
            yield from (f"{flag} {quoted(f'{key}={entry}')}" for key, entry in value.items())
        elif isinstance(value, tuple):
            yield from (f"{flag} {quoted(entry)}" for entry in value)
        else:
            yield flag if value is True else f"{flag} {quoted(value)}"


def quoted(value: object) -> str:
    """A value as a shell takes it."""
    return shlex.quote(str(value))


def sign_line(provenances: set[str]) -> str:
    """What the signs beside joules mean; empty where none is shown."""
    known = [f"{sign} {label}" for label, sign in BADGE.items() if label.value in provenances]
    return f"signs: {', '.join(known)}" if known else ""


def prefix_lines(names: list[str]) -> Iterator[str]:
    """What the prefixes among some metrics' names say."""
    for prefix, meaning in PREFIXES.items():
        if any(name.startswith(prefix) for name in names):
            yield f"{prefix}: {meaning}"
