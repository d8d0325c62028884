"""What a benchmark is to membench: a card that describes it and a `Task` that loads and scores it.

A task lives in `membench/tasks/<name>/` with `task.py` (exporting `TASK`, the `Task` subclass),
its prompts, and a sample of our own in the official schema. It imports `harness.model`,
`harness.errors` and `metrics`, never an adapter.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from membench.harness.errors import UnknownName, UsageError
from membench.harness.model import (
    Aggregate,
    Case,
    Gold,
    JudgeRequest,
    Memory,
    PlayedCase,
    Scalar,
    Score,
    Verdict,
)
from membench.tasks.data import Source, Version, file_sha256, identify, locate
from membench.tasks.replies import checked_label, json_object

G = TypeVar("G", bound=Gold)


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
        main_metric: The one metric that a rank or a frontier uses when there is a judge;
            `offline_metric` when there is none.
        offline_metric: See `main_metric`.
        lower_is_better: Metric names (without prefix or suffix) where less is more.
        answer_temperature: What the protocol samples answers at.
        answer_max_tokens: What the protocol lets an answer have; None for the reader's own limit.
        options: Task options.
        warning: One sentence every page shows beside the scores, if any.
        patterns: Split -> glob patterns of further file names that hold the split or part of it.
        errata: File names of the audit that `--errata` overlays; empty where there is none.
        judges: Judge prompts by request kind.
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
    options: Mapping[str, OptionCard] = field(default_factory=dict)
    warning: str = ""
    patterns: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    errata: tuple[str, ...] = ()
    judges: Mapping[str, JudgeCard] = field(default_factory=dict)


@dataclass(frozen=True)
class Message:
    """One chat message for a model."""

    role: str
    content: str


@dataclass(frozen=True)
class AnswerInput:
    """All a reader gets to answer one `Ask`; public, but for `options` (LoCoMo's exemption).

    Attributes:
        question: The question's words.
        memories: What was recalled, in rank order.
        now: The dataset's clock in ISO form, or None.
        options: Choices the official protocol shows to the reader; empty otherwise.
    """

    question: str
    memories: tuple[Memory, ...]
    now: str | None = None
    options: tuple[str, ...] = ()


class Task(ABC, Generic[G]):
    """Loads, judges and scores one benchmark.

    Args:
        options: Values of the card's options; missing ones take their default.
        seed: The run's seed, for what the official protocol draws at random.
        errata: A third party's list of defects, to score against beside the published gold.
    """

    card: ClassVar[TaskCard]

    def __init__(
        self,
        options: Mapping[str, Scalar] | None = None,
        seed: int = 0,
        errata: Path | None = None,
    ) -> None:
        """Check the options against the card."""
        self.options = checked_options(self.card, options or {})
        self.seed = seed
        if errata is not None and not self.card.errata:
            raise UsageError(f"--errata: task '{self.card.name}' has no list of errata")
        self.errata = errata

    @abstractmethod
    def cases(self, source: Source, opaque: Callable[[str], str]) -> Iterator[tuple[Case, G]]:
        """Stream the cases of a file with their gold, one at a time.

        Args:
            source: The data file (see `tasks.data`).
            opaque: Official id -> opaque id, for everything a lane may see.

        Raises:
            DataError: The file is malformed; names the place and the remedy.
        """

    def options_for(self, gold: G, event: int) -> tuple[str, ...]:
        """Choices shown to the reader for an ask, where the official protocol has them."""
        return ()

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """The answer prompt for an LLM reader, filled in. See the task's `prompts/` folder."""
        raise NotImplementedError(f"{self.card.name} has no answer prompt yet")

    def prompt_hashes(self) -> Mapping[str, str]:
        """SHA-256 of every prompt file by name: `judge.<kind>`, and `answer` (and the like)."""
        judges = {card.prompt: f"judge.{kind}" for kind, card in self.card.judges.items()}
        files = sorted((self.folder() / "prompts").glob("*.txt"))
        return {judges.get(f.name, f.stem): file_sha256(f) for f in files}

    def judgements(self, played: PlayedCase, gold: G) -> Sequence[JudgeRequest]:
        """The verdicts that scoring this case needs; empty without a judge protocol."""
        return ()

    def judge_messages(self, request: JudgeRequest, official: str | None = None) -> list[Message]:
        """The judge prompt of `request.kind` with `request.fields` filled in.

        Args:
            request: What is to be judged.
            official: The benchmark's own template, loaded by a user in place of ours; a Python
                format string, as the benchmarks write them.
        """
        if official is not None:
            template = official.replace("{{", "{").replace("}}", "}")
        else:
            template = self.prompt(self.card.judges[request.kind].prompt)
        return [Message("user", fill(template, request.fields))]

    def parse_verdict(self, request: JudgeRequest, reply: str) -> Mapping[str, Any]:
        """The output fields of a judge's reply, with `label` checked against the card's.

        Raises:
            JudgeFault: The reply is not what the prompt asked for; never a score.
        """
        card = self.card.judges[request.kind]
        values = json_object(reply)
        found = values.get("label", values.get(card.official_label))
        return {**values, "label": checked_label(found, card.labels)}

    def wants_refusal(self, request: JudgeRequest) -> bool:
        """Whether only a refusal would be right; calibration sets are made accordingly."""
        return self.card.judges[request.kind].wants_refusal

    @abstractmethod
    def score(
        self, played: PlayedCase, gold: G, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """Score one case. Pure: the same records, gold and verdicts give the same rows.

        Without verdicts, rows that need one are `unscored`, never wrong.
        """

    @abstractmethod
    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Make metrics of all rows (any order). Failed rows count as wrong in headline values."""

    @classmethod
    def sample(cls) -> Path:
        """Our own small file in the official schema (`--split sample`)."""
        return sample_file(cls.folder())

    @classmethod
    def folder(cls) -> Path:
        """The task's own folder: prompts, sample."""
        return Path(inspect.getfile(cls)).parent

    @classmethod
    @cache
    def prompt(cls, name: str) -> str:
        """The text of a file in the task's `prompts/` folder, read once."""
        return (cls.folder() / "prompts" / name).read_text(encoding="utf-8")

    @classmethod
    def locate(cls, folder: Path, split: str) -> Source | None:
        """The file of a split in a folder, if it is there."""
        return locate(cls.card, folder, split)

    @classmethod
    def identify(cls, source: Source) -> Version:
        """Which published version a file is. Unknown ones carry a warning to show."""
        return identify(cls.card, source)


def fill(template: str, fields: Mapping[str, str]) -> str:
    """Replace each `{name}` that has a field by its value; other braces stay as they are.

    Values are inserted as they are: a brace in a question is never a placeholder.
    """
    return re.sub(r"\{(\w+)\}", lambda m: fields.get(m[1], m[0]), template)


def request_id(item: str, kind: str, generation: int = 0) -> str:
    """The id of a judge request: item id, kind and generation."""
    return f"{item}:{kind}:{generation}"


def sample_file(folder: Path) -> Path:
    """The file named `sample.*` in a task's folder."""
    return next(path for path in sorted(folder.iterdir()) if path.stem == "sample")


def checked_options(card: TaskCard, given: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """Merge `given` into the card's defaults.

    Raises:
        UnknownName: An option the task does not have.
        UsageError: A value of the wrong type or outside the choices.
    """
    options = {name: option.default for name, option in card.options.items()}
    for name, value in given.items():
        if name not in card.options:
            raise UnknownName(f"option of task '{card.name}'", name, card.options)
        option = card.options[name]
        if type(value) is not type(option.default):
            raise UsageError(
                f"--task-set {name}={value}: expected {type(option.default).__name__}",
                option.doc,
            )
        if option.choices and value not in option.choices:
            raise UsageError(
                f"--task-set {name}={value}: not one of {', '.join(map(str, option.choices))}",
                option.doc,
            )
        options[name] = value
    return options
