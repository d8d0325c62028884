"""The card of a task: everything about it that can be known without data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from membench.domain.labels import Scalar


@dataclass(frozen=True)
class DataFile:
    """One file of a benchmark as published.

    Attributes:
        name: File name at the source.
        split: The split it holds.
        bytes: Its size.
        sha256: Hash of the stored bytes.
        url: Where a person finds it.
        revision: Pinned revision at the source.
        version: What the manifest calls it (`"official"`).
        path: Where it stands at the source, where that is not just its name.
        package: `<import name>:<path in it>` of a package that ships the file, if one does.
        joins: Names of the card's files that it is made of, one after the other, if it is.
    """

    name: str
    split: str
    bytes: int
    sha256: str
    url: str
    revision: str
    version: str = "official"
    path: str = ""
    package: str = ""
    joins: tuple[str, ...] = ()


@dataclass(frozen=True)
class OptionCard:
    """A task option (`--task-set key=value`), part of the comparison key."""

    default: Scalar
    choices: tuple[Scalar, ...] = ()
    doc: str = ""


@dataclass(frozen=True)
class JudgeCard:
    """One judge prompt of a task, named by the `kind` of the requests it serves.

    Attributes:
        prompt: File in the task's `prompts/` folder; `{name}` stands for a request's field.
        labels: What the field `label` of the judge's JSON object may say. Anything else is a
            failed verdict.
        official_sha256: Hash of the benchmark's own prompt (UTF-8, before filling in), which a
            user may load from a path instead; empty where there is none.
        official_label: The field that holds the label in a reply to that prompt.
        extra: Further fields of the judge's JSON object and the values they may have.
        one_word: Whether the reply is a label alone instead of a JSON object.
        accepts: Labels that mean "right"; the others mean "wrong". For calibration.
        candidate: The request field that holds what is judged.
        reference: The request field that holds the gold; empty where an echo of it would not
            be right.
        wants_refusal: Whether only a refusal is right.
        label_fields: Further fields that hold the label in verdicts made elsewhere.
    """

    prompt: str
    labels: tuple[str, ...]
    official_sha256: str = ""
    official_label: str = ""
    extra: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one_word: bool = False
    accepts: tuple[str, ...] = ()
    candidate: str = "answer"
    reference: str = ""
    wants_refusal: bool = False
    label_fields: tuple[str, ...] = ()


@dataclass(frozen=True)
class TaskCard:
    """What can be known about a task without data.

    Attributes:
        name: Folder and CLI name.
        title: The benchmark's own name.
        paper: arXiv id or venue.
        licence: Licence of the data, SPDX where there is one.
        may_redistribute_text: Whether bundles may hold answers and memories in clear.
        files: Published files by split.
        splits: Names of the splits; `sample` is always there and not listed.
        default_split: Used when `--split` is not given.
        categories: Category name -> the benchmark's own id for it.
        counts: Category name -> questions in the full default split.
        default_k: Number of memories when `--k` is not given.
        fixed_k: True where the protocol fixes k and `--k` is refused.
        separable: Whether recall of a case can run after all its ingestion (waves).
        records_changes: Whether scoring needs what each ingest changed (extraction).
        headline: Metric names of the closing table, most important first. Offline runs lead
            with retrieval.
        metric_titles: Metric name -> the metric in words, for those who do not know the benchmark.
        metric_labels: Metric name -> a short title for axes and columns; a metric without one
            gets its title from its name.
        never_ranks: Metrics that order nobody: more of them is neither better nor worse.
        main_metric: The one metric that a rank or a frontier uses when there is a judge;
            `offline_metric` when there is none.
        offline_metric: See `main_metric`.
        lower_is_better: Metric names (without prefix or suffix) where less is more.
        answer_temperature: What the protocol samples answers at.
        answer_max_tokens: What the protocol lets an answer have; None where it does not say.
        answer_limit: Tokens an answer may have where neither protocol nor run says otherwise.
        whole_replies: Whether answers are whole replies to a user, not a few words.
        options: Task options.
        warning: One sentence every page shows beside the scores, if any.
        patterns: Split -> glob patterns of further file names that hold the split or part of it.
        errata: File names of the audit that `--errata` overlays; empty where there is none.
        judges: Judge prompts by request kind.
        own_files: Endings of files that users write for this task and name as the task itself
            (`--task ./my-cases.yaml`); empty for a benchmark with published files.
    """

    name: str
    title: str
    paper: str
    licence: str
    may_redistribute_text: bool
    files: tuple[DataFile, ...]
    splits: tuple[str, ...]
    default_split: str
    categories: Mapping[str, str]
    counts: Mapping[str, int]
    headline: tuple[str, ...]
    main_metric: str
    offline_metric: str
    default_k: int = 10
    fixed_k: bool = False
    separable: bool = True
    records_changes: bool = False
    lower_is_better: tuple[str, ...] = ()
    answer_temperature: float = 0.0
    answer_max_tokens: int | None = None
    answer_limit: int = 64
    whole_replies: bool = False
    options: Mapping[str, OptionCard] = field(default_factory=dict)
    warning: str = ""
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errata: tuple[str, ...] = ()
    judges: Mapping[str, JudgeCard] = field(default_factory=dict)
    metric_titles: Mapping[str, str] = field(default_factory=dict)
    metric_labels: Mapping[str, str] = field(default_factory=dict)
    never_ranks: tuple[str, ...] = ()
    own_files: tuple[str, ...] = ()
