"""The synthetic task stream: what its card says, and how its parts fit together.

A case is a stream of tasks (`membench.tasks.episodes`). A recipe says how much is made by which
version of the generator (`generate`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Case
from membench.domain.outcome import PlayedCase
from membench.domain.score import Score, Verdict
from membench.tasks.base import fill
from membench.tasks.card import OptionCard, TaskCard
from membench.tasks.files.source import Source
from membench.tasks.generation.base import GeneratedTask
from membench.tasks.prompts import dated_memories
from membench.tasks.task_stream.gold import CATEGORIES, StreamGold

BYTES_PER_TASK = 5000
"""Memory that a generated task needs, about."""

CARD = TaskCard(
    name="task_stream",
    title="Synthetic task stream",
    paper="membench (docs/tasks/task_stream.md)",
    licence="Apache-2.0",
    may_redistribute_text=True,
    files=(),
    splits=("mini", "base", "long"),
    default_split="mini",
    categories={name: name for name in CATEGORIES},
    counts=dict(zip(CATEGORIES, (366, 146, 83, 111, 42, 252), strict=True)),
    headline=(
        "success",
        "learned.success",
        "late.success",
        "repeated.error",
        "recalled.right",
        "evidence.turn.recall@10",
    ),
    metric_labels={
        "success": "Task success",
        "learned.success": "Success, learnable",
        "late.success": "Success, last third",
        "repeated.error": "Errors repeated",
        "recalled.right": "Right action recalled",
        "evidence.turn.recall@10": "Evidence recall@10",
    },
    metric_titles={
        "success": "share of tasks done with exactly the procedures they need",
        "learned.success": "share of tasks done, of those that earlier feedback decides",
        "late.success": "share of these done in the last third of the stream",
        "repeated.error": "share of answers that name what feedback had called wrong",
        "recalled.right": "share of learnable tasks for which some memory names what is needed",
        "evidence.turn.recall@10": "share of the evidence turns that the first 10 memories hold",
    },
    main_metric="success",
    offline_metric="success",
    default_k=10,
    separable=False,
    lower_is_better=("repeated.error",),
    options={
        "seed": OptionCard(0, doc="Seed of the streams; another seed is another data set."),
    },
    warning="Attempts and feedback are the dataset's: a system learns from them, not from its own.",
)


class TaskStream(GeneratedTask[StreamGold]):
    """Generated streams with exact gold."""

    card = CARD

    def cases(
        self, source: Source, opaque: Callable[[str], str]
    ) -> Iterator[tuple[Case, StreamGold]]:
        """Generate one stream after the other; none depends on another."""
        from membench.tasks.task_stream.generate import make_case
        from membench.tasks.task_stream.recipe import read_recipe

        recipe = read_recipe(source)
        for index in range(recipe.cases):
            yield make_case(recipe, int(self.options["seed"]), index, opaque)

    def options_for(self, gold: StreamGold, event: int) -> tuple[str, ...]:
        """The procedures that there are."""
        return gold.questions[event].options

    def answer_messages(self, given: AnswerInput) -> list[Message]:
        """The answer prompt, with the procedures to choose from."""
        fields = {
            "memories": dated_memories(given.memories, sources=False),
            "question": given.question,
            "now": given.now or "unknown",
            "procedures": ", ".join(given.options),
        }
        return [Message("user", fill(self.prompt("answer.txt"), fields))]

    def content_bytes(self, source: Source) -> int:
        """What the generated streams need in memory, not what the recipe does on disk."""
        from membench.tasks.task_stream.recipe import read_recipe

        recipe = read_recipe(source)
        return recipe.cases * recipe.tasks * BYTES_PER_TASK

    def score(
        self, played: PlayedCase, gold: StreamGold, verdicts: Mapping[str, Verdict]
    ) -> Sequence[Score]:
        """One row per task; see `scoring`."""
        from membench.tasks.task_stream.scoring import score_case

        return score_case(played, gold)


TASK = TaskStream
