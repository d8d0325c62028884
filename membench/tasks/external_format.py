"""What a task says of the files that other programs write: official outputs, other evaluations.

A format turns a parsed file into lines of `docs/predictions.md`. Many such files name a question by
its position or by its words alone; `QuestionIndex` finds the published id.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from membench.domain.case import Ask, Case
from membench.domain.labels import JsonView
from membench.domain.score import Gold


@dataclass(frozen=True)
class ConvertedLine:
    """One answer of a file made elsewhere.

    Attributes:
        place: Where it stands in the file (`[0].qa[3]`).
        prediction: A line of a predictions file.
        verdict: Fields of a verdict on the answer that the file holds too; empty without.
    """

    place: str
    prediction: JsonView
    verdict: JsonView = field(default_factory=dict)


@dataclass(frozen=True)
class PredictionFormat:
    """A form of file in which answers to a benchmark are in circulation.

    Attributes:
        name: What `--format` calls it.
        title: Whose form it is.
        recognises: Whether a parsed file (of JSON Lines: the list of its objects) has this form.
        convert: The lines of a parsed file. Raises `ValueError` with what is wrong with it.
    """

    name: str
    title: str
    recognises: Callable[[Any], bool]
    convert: Callable[[Any, QuestionIndex], Iterator[ConvertedLine]]


class QuestionIndex:
    """Published question ids by case and wording; a wording that comes twice is taken in order."""

    def __init__(self) -> None:
        """No case yet."""
        self._cases: dict[str, dict[str, list[str]]] = {}

    def add(self, case: Case, gold: Gold) -> None:
        """Take in the questions of a case."""
        mine = self._cases.setdefault(gold.case_id, {})
        for event, question in gold.questions.items():
            ask = case.timeline[event]
            if isinstance(ask, Ask):
                mine.setdefault(ask.question.text.strip(), []).append(question.question_id)

    @property
    def case_ids(self) -> Sequence[str]:
        """Official ids of the cases in file order."""
        return list(self._cases)

    def taker(self, case_id: str) -> Callable[[str], str]:
        """A function from a question's wording to its id, for one pass over one case.

        Raises:
            ValueError: The data has no such case, or the case no such question (any more).
        """
        if case_id not in self._cases:
            raise ValueError(f"the data has no case '{case_id}'")
        left = {text: list(ids) for text, ids in self._cases[case_id].items()}

        def take(text: str) -> str:
            ids = left.get(text.strip())
            if not ids:
                raise ValueError(f"case '{case_id}' has no question '{text[:80]}' (left)")
            return ids.pop(0)

        return take
