"""What a benchmark is to membench: a card that describes it and a `Task` that loads and scores it.

A task lives in `membench/tasks/<name>/` with `task.py` (exporting `TASK`, the `Task` subclass),
its prompts, and a sample of our own in the official schema. It imports `domain`,
`domain.errors` and `metrics`, never an adapter.
"""

from __future__ import annotations

import inspect
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Case
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import JsonView, Scalar
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, Gold, JudgeRequest, Score, Verdict
from membench.tasks.card import TaskCard
from membench.tasks.external_format import PredictionFormat
from membench.tasks.files.source import Source, file_sha256, unpacked_bytes
from membench.tasks.find import SAMPLE, Version, identify, locate
from membench.tasks.prompts import checked_label, dated_memories, external_label, verdict_fields

G = TypeVar("G", bound=Gold)


class Task(ABC, Generic[G]):
    """Loads, judges and scores one benchmark.

    Args:
        options: Values of the card's options; missing ones take their default.
        seed: The run's seed, for what the official protocol draws at random.
        errata: A third party's list of defects, to score against beside the published gold.
    """

    card: ClassVar[TaskCard]
    prediction_formats: ClassVar[tuple[PredictionFormat, ...]] = ()
    """Forms of files with answers made elsewhere, besides our own (docs/predictions.md)."""

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
            source: The data file (see `tasks.find`).
            opaque: Official id -> opaque id, for everything a lane may see.

        Raises:
            DataError: The file is malformed; names the place and the remedy.
        """

    def options_for(self, gold: G, event: int) -> tuple[str, ...]:
        """Choices shown to the reader for an ask, where the official protocol has them."""
        return ()

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """The answer prompt for an LLM reader, filled in: `prompts/answer.txt` of the task.

        It may name `{memories}` (in rank order, with their times), `{question}` and `{now}`.
        """
        fields = {
            "memories": dated_memories(given.memories, sources=False),
            "question": given.question,
            "now": given.now or "unknown",
        }
        return [Message("user", fill(self.prompt("answer.txt"), fields))]

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

    def parse_verdict(self, request: JudgeRequest, reply: str) -> JsonView:
        """The output fields of a judge's reply, with `label` checked against the card's.

        Raises:
            JudgeFault: The reply is not what the prompt asked for; never a score.
        """
        card = self.card.judges[request.kind]
        values = verdict_fields(reply, ("label", card.official_label))
        found = values.get("label", values.get(card.official_label))
        return {**values, "label": checked_label(found, card.labels)}

    def external_verdict(self, request: JudgeRequest, values: JsonView) -> JsonView:
        """The fields of a verdict made elsewhere, with `label` in the card's spelling.

        Raises:
            JudgeFault: Its label means nothing here; it must not count as wrong.
        """
        return {**values, "label": external_label(self.card.judges[request.kind], values)}

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

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Make metrics of all rows (any order): means over questions, by category of the card.

        Failed rows count as wrong in headline values.
        """
        from membench.metrics.aggregate import aggregate

        return aggregate(scores, self.card.categories)

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
    def shipped(cls, split: str) -> Path | None:
        """The file of a split that comes with membench, if it does: the sample always."""
        return cls.sample() if split == SAMPLE else None

    def content_bytes(self, source: Source) -> int:
        """About how many bytes a source's content has; the cases of small ones are kept."""
        return sum(unpacked_bytes(path) for path in (source.path, *source.more))

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


def as_option(value: Scalar, default: Scalar) -> Scalar:
    """A value in the type of an option: whole numbers stand for others, texts are parsed."""
    if type(default) not in (int, float) or isinstance(value, bool):
        return value
    try:
        converted = type(default)(value)
    except ValueError:
        return value
    return converted if isinstance(value, str) or converted == value else value


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
        value = as_option(value, option.default)
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


AnyTask = Task[Any]
"""A task whose gold the caller only hands on."""
