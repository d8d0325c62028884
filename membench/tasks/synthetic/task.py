"""The synthetic task: what its card says, and how its parts fit together.

A case is a generated history of one user, `Finalize`, then its questions. Where the data of other
tasks is a file, here it is a recipe (`recipe`), which says how much is made by which version of the
generator (`generate`). Scoring needs no judge.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from membench.domain.case import Case
from membench.domain.errors import UsageError
from membench.domain.outcome import PlayedCase
from membench.domain.score import Aggregate, Score, Verdict
from membench.tasks.card import OptionCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.generation.base import GeneratedTask
from membench.tasks.synthetic.gold import CATEGORIES, SyntheticGold

BYTES_PER_TOKEN = 20
"""Memory that a parsed history needs, per token of it, about."""

LONGEST = 1_000_000
"""Tokens that an option may ask for: whoever checks a bundle has to generate it again."""

CARD = TaskCard(
    name="synthetic",
    title="Synthetic histories",
    paper="membench (docs/tasks/synthetic.md)",
    licence="Apache-2.0",
    may_redistribute_text=True,
    files=(),
    splits=("mini", "base", "long", "stream"),
    default_split="mini",
    categories={name: name for name in CATEGORIES},
    counts=dict(zip(CATEGORIES, (24, 40, 40, 37, 20, 19, 20), strict=True)),
    headline=(
        "evidence.turn.recall@10",
        "accuracy",
        "answerable.accuracy",
        "refusal",
        "f1",
        "memory.recall",
        "memory.kept",
        "memory.stale",
        "memory.invented",
    ),
    metric_labels={
        "evidence.turn.recall@10": "Evidence recall@10",
        "accuracy": "Accuracy",
        "answerable.accuracy": "Accuracy, answerable",
        "refusal": "Refusal of unanswerable",
        "f1": "Answer F1",
        "memory.recall": "Facts stored",
        "memory.kept": "Facts kept",
        "memory.stale": "Changes missed",
        "memory.invented": "Facts invented",
    },
    metric_titles={
        "evidence.turn.recall@10": "share of the evidence turns that the first 10 memories hold",
        "accuracy": "share of questions answered rightly, refusals included",
        "answerable.accuracy": "share of answerable questions answered rightly",
        "refusal": "share of unanswerable questions that were refused",
        "f1": "words that answer and gold share (F1)",
        "memory.recall": "share of what a session told that the memory holds after it",
        "memory.kept": "share of all that is still true that the memory holds at the end",
        "memory.stale": "share of changes after which only the old value is stored",
        "memory.invented": "share of new memories with a name or number nobody had said",
    },
    main_metric="accuracy",
    offline_metric="evidence.turn.recall@10",
    default_k=10,
    records_changes=True,
    lower_is_better=("memory.stale", "memory.invented", "recalled.stale", "answer.stale"),
    options={
        "tokens": OptionCard(0, doc="Tokens of a history, about; 0 for those of the split."),
        "update_rate": OptionCard(0.25, doc="Share of statements that change an earlier fact."),
        "distractor_ratio": OptionCard(0.25, doc="Share of statements that answer nothing."),
        "seed": OptionCard(0, doc="Seed of the histories; another seed is another data set."),
    },
    warning="Generated from templates: good for comparing systems, no picture of real talk.",
)


class Synthetic(GeneratedTask[SyntheticGold]):
    """Generated histories with exact gold."""

    card = CARD

    def __init__(
        self,
        options: Mapping[str, str | int | float | bool] | None = None,
        seed: int = 0,
        errata: Path | None = None,
    ) -> None:
        """Check the options, their limits included."""
        super().__init__(options, seed, errata)
        from membench.tasks.synthetic.recipe import LIMITS

        for name in ("update_rate", "distractor_ratio"):
            if not 0 <= float(self.options[name]) <= 1:
                given = self.options[name]
                raise UsageError(f"--task-set {name}={given}: must lie between 0 and 1")
        low, tokens = LIMITS["tokens"][0], int(self.options["tokens"])
        if tokens and not low <= tokens <= LONGEST:
            raise UsageError(f"--task-set tokens={tokens}: must lie between {low} and {LONGEST}")

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, SyntheticGold]]:
        """Generate one case after the other; none depends on another."""
        from membench.tasks.synthetic.generate import Rates, make_case
        from membench.tasks.synthetic.recipe import read_recipe

        recipe = read_recipe(source)
        tokens = int(self.options["tokens"])
        if tokens:
            recipe = replace(recipe, tokens=tokens)
        rates = Rates(
            seed=int(self.options["seed"]),
            update_rate=float(self.options["update_rate"]),
            distractor_ratio=float(self.options["distractor_ratio"]),
        )
        for index in range(recipe.cases):
            yield make_case(recipe, rates, index, opaque)

    def content_bytes(self, source: Source) -> int:
        """What the generated histories need in memory, not what the recipe does on disk."""
        from membench.tasks.synthetic.recipe import read_recipe

        recipe = read_recipe(source)
        return recipe.cases * (int(self.options["tokens"]) or recipe.tokens) * BYTES_PER_TOKEN

    def score(
        self, played: PlayedCase, gold: SyntheticGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per question and per point of the store; see `scoring` and `store`."""
        from membench.tasks.synthetic.scoring import score_case

        return score_case(played, gold)

    def aggregate(self, scores: Iterable[Score]) -> Aggregate:
        """Means over questions, by category; over points and sessions for the store."""
        from membench.metrics.aggregate import aggregate
        from membench.tasks.synthetic.store import CANNOT_TELL

        cannot_tell = False

        def watched() -> Iterator[Score]:
            nonlocal cannot_tell
            for row in scores:
                cannot_tell |= row.reason == CANNOT_TELL
                yield row

        made = aggregate(watched(), self.card.categories)
        if cannot_tell:
            note = "The system cannot tell what a session changed: memory figures are n/a, not 0."
            return replace(made, notes=(*made.notes, note))
        return made


TASK = Synthetic
