"""Metrics in words: a short title, what is counted, unit and direction, from the task's card."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping
from dataclasses import dataclass

from membench.metrics.names import is_fraction
from membench.tasks.card import TaskCard

PREFIXES: Mapping[str, str] = {
    "strict.": "membench's stricter or repaired variant beside the official metric",
    "errata.": "the same against gold with known errors mended",
}
"""What the prefix of a metric's name says."""

SCORED = ".scored"
"""Ending of a figure over the questions that have a value alone."""

EVIDENCE = re.compile(
    r"^(?P<where>.*?)(?P<unit>turn|session)\.(?P<what>recall_all|recall_any|recall|ndcg|precision"
    r"|mrr)(?:@(?P<k>\d+))?$"
)
RETRIEVAL = {
    "recall": "Evidence recall",
    "recall_all": "All evidence found",
    "recall_any": "Some evidence found",
    "ndcg": "Evidence nDCG",
    "precision": "Evidence precision",
    "mrr": "Evidence MRR",
}


@dataclass(frozen=True)
class MetricWords:
    """A metric for people.

    Attributes:
        name: Its id, as in files.
        title: A few words for axes and columns.
        meaning: What is counted, in one line.
        unit: `%` for fractions, empty for counts.
        lower: Whether less is better.
        ranks: Whether it may order rows.
    """

    name: str
    title: str
    meaning: str
    unit: str
    lower: bool
    ranks: bool

    @property
    def titled(self) -> str:
        """Title with unit."""
        return f"{self.title} ({self.unit})" if self.unit else self.title

    @property
    def direction(self) -> str:
        """Which way is better."""
        if not self.ranks:
            return "says nothing about better or worse"
        return "less is better" if self.lower else "more is better"


def metric_words(card: TaskCard, name: str) -> MetricWords:
    """A metric of a task in words; what the card does not name is told from the id."""
    bare, remarks, meanings = name.removesuffix(SCORED), [], []
    for prefix, said in PREFIXES.items():
        if bare.startswith(prefix) and bare not in card.metric_labels:
            bare = bare.removeprefix(prefix)
            remarks.append(prefix.removesuffix("."))
            meanings.append(said)
    if name.endswith(SCORED):
        remarks.append("scored")
        meanings.append("over the questions that have a value")
    title = told_at(bare, card.metric_labels) or title_from_name(bare)
    meaning = told_at(bare, card.metric_titles) or title[:1].lower() + title[1:]
    return MetricWords(
        name,
        ", ".join([title, *remarks]),
        "; ".join([meaning, *meanings]),
        "%" if is_fraction(name) else "",
        less_is_better(card, name),
        bare not in card.never_ranks,
    )


def told_at(name: str, words: Mapping[str, str]) -> str:
    """What is said of a metric, or of the same one at another cut, with its own; else nothing."""
    if name in words:
        return words[name]
    stem, at, cut = name.rpartition("@")
    for other, said in words.items():
        if at and other.rpartition("@")[0] == stem:
            return re.sub(rf"\b{re.escape(other.rpartition('@')[2])}\b", cut, said)
    return ""


def title_from_name(name: str) -> str:
    """A title for a metric that its card does not name."""
    found = EVIDENCE.match(name)
    if found is None:
        words = re.sub(r"[._]+", " ", name).strip()
        return words[:1].upper() + words[1:]
    title = RETRIEVAL[found["what"]] + (f"@{found['k']}" if found["k"] else "")
    where = re.sub(r"[._]+", " ", found["where"].removeprefix("evidence.")).strip()
    parts = [part for part in (f"{found['unit']}s", where) if part]
    return f"{title} ({', '.join(parts)})"


def less_is_better(card: TaskCard, name: str) -> bool:
    """Whether less of a metric is more; prefix, `.scored` and `@n` do not change that."""
    bare = re.sub(r"^(strict|errata)\.|(\.scored|@\d+)$", "", name)
    return not {name, bare}.isdisjoint(card.lower_is_better)


def headline_metrics(card: TaskCard) -> tuple[str, ...]:
    """The metrics that a task is told by: the judged one, the one that needs no judge, the rest."""
    return tuple(dict.fromkeys((card.main_metric, card.offline_metric, *card.headline)))


def leading_metrics(card: TaskCard, there: Collection[str]) -> tuple[str, ...]:
    """The metrics that say most and are there: the judged one first, then what needs no judge.

    Every table, board, report and closing line leads with the first of them; those that rank
    nobody come last.
    """
    found = [name for name in at_cuts(headline_metrics(card), there) if name in there]
    return tuple(sorted(found, key=lambda name: name in card.never_ranks))


def at_cuts(names: Iterable[str], there: Collection[str]) -> tuple[str, ...]:
    """Metrics with the cuts that a run has: one that asks for 5 memories knows no `recall@10`.

    Args:
        names: Metrics, such as a task's headline.
        there: Metrics of the run.

    Returns:
        Each name; in place of one that is not there, the same metric at its largest smaller cut.
    """
    return tuple(dict.fromkeys(name if name in there else at_cut(name, there) for name in names))


def at_cut(name: str, there: Collection[str]) -> str:
    """A metric at the largest cut below its own that is there; itself without one."""
    stem, _, cut = name.rpartition("@")
    split = (other.rpartition("@") for other in there)
    smaller = [int(k) for other, _, k in split if other == stem and k.isdecimal()]
    fitting = [k for k in smaller if cut.isdecimal() and k < int(cut)]
    return f"{stem}@{max(fitting)}" if fitting else name


def is_accuracy(card: TaskCard, name: str) -> bool:
    """Whether a metric says how many answers are right, so that a right one has a cost."""
    words = metric_words(card, name)
    return name == card.main_metric and is_fraction(name) and words.ranks and not words.lower


def judge_wanted(card: TaskCard, there: Container[str]) -> str:
    """What is missing where a task was not judged, and how to get it; empty where nothing is."""
    if not card.judges or card.main_metric in there:
        return ""
    words = metric_words(card, card.main_metric)
    return (
        f'{card.title} was not judged here, so "{words.title}" ({words.meaning}) is not known. '
        "To get it: membench judge RUN --judge MODEL."
    )
