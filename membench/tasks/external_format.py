"""What a task says of the files that other programs write: official outputs, other evaluations.

A format turns a parsed file into lines of `docs/predictions.md`. Many such files name a question by
its position or by its words alone; `QuestionIndex` finds the published id.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
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
        verdicts: Fields of the verdict on each generation that the file holds too, in order; an
            empty one where there is none.
    """

    place: str
    prediction: JsonView
    verdicts: Sequence[JsonView] = ()


@dataclass(frozen=True)
class PredictionFormat:
    """A form of file in which answers to a benchmark are in circulation.

    Attributes:
        name: What `--format` calls it.
        title: Whose form it is.
        recognises: Whether a parsed file (of JSON Lines: the list of its objects) has this form.
        convert: The lines of a parsed file. Raises `ValueError` with what is wrong with it.
        verdicts: Lines of a verdicts file, of the parsed file and a second one that the same
            program wrote; None where verdicts come in our own schema.
    """

    name: str
    title: str
    recognises: Callable[[Any], bool]
    convert: Callable[[Any, QuestionIndex], Iterator[ConvertedLine]]
    verdicts: Callable[[Any, Any], Iterator[JsonView]] | None = None


def as_text(answer: object) -> str | None:
    """An answer as text; numbers count as their digits, null stays null."""
    return answer if answer is None or isinstance(answer, str) else str(answer)


OPENING = 24
"""Characters at the beginning of a question by which it is looked for in a longer text."""


class QuestionIndex:
    """Published question ids by case and wording; a wording that comes twice is taken in order.

    Nothing that is asked for each answer of a file takes longer with more questions.
    """

    def __init__(self) -> None:
        """No case yet."""
        self._cases: dict[str, dict[str, list[str]]] = {}
        self._ids_in: dict[str, list[str]] = {}
        self._ids: set[str] = set()
        self._worded: dict[str, list[str]] = {}
        self._openings: dict[str, list[str]] = {}
        self._lengths: set[int] = set()
        self._turns: dict[str, Mapping[str, str]] = {}

    def add(self, case: Case, gold: Gold) -> None:
        """Take in the questions of a case."""
        self._cases.setdefault(gold.case_id, {})
        self._ids_in.setdefault(gold.case_id, [])
        self._turns[gold.case_id] = gold.turn_ids
        for event, question in gold.questions.items():
            ask = case.timeline[event]
            if isinstance(ask, Ask):
                self._add(gold.case_id, ask.question.text.strip(), question.question_id)

    def _add(self, case_id: str, words: str, question_id: str) -> None:
        """Take in one question."""
        self._cases[case_id].setdefault(words, []).append(question_id)
        self._ids_in[case_id].append(question_id)
        self._ids.add(question_id)
        if words not in self._worded:
            opening = words[:OPENING]
            self._openings.setdefault(opening, []).append(words)
            self._lengths.add(len(opening))
        self._worded.setdefault(words, []).append(question_id)

    @property
    def case_ids(self) -> Sequence[str]:
        """Official ids of the cases in file order."""
        return list(self._cases)

    def has_case(self, case_id: str) -> bool:
        """Whether the data has a case of this official id."""
        return case_id in self._cases

    def ids_in(self, case_id: str) -> Sequence[str]:
        """Ids of the questions of a case, in order.

        Raises:
            ValueError: The data has no such case.
        """
        if case_id not in self._cases:
            raise ValueError(f"the data has no case '{case_id}'")
        return self._ids_in[case_id]

    def turns_in(self, case_id: str) -> Collection[str]:
        """Published ids of the turns of a case; empty for a case that there is not."""
        return self._turns.get(case_id, {}).keys()

    @property
    def ids(self) -> Set[str]:
        """Ids of all questions."""
        return self._ids

    def asked_in(self, text: str) -> str:
        """The one question whose words stand in a text, such as a filled prompt.

        Of several, that whose words hold those of the others.

        Raises:
            ValueError: There is none, or there are several.
        """
        found = self._standing_in(text)
        longest = max(map(len, found), default=0)
        names = [name for words in found if len(words) == longest for name in self._worded[words]]
        if len(names) != 1:
            raise ValueError(f"{len(names) or 'no'} questions stand in '{text[:80]}'")
        return names[0]

    def _standing_in(self, text: str) -> set[str]:
        """The wordings that stand in a text.

        Only those that begin as the text goes on somewhere are compared, so that the work does
        not grow with the questions there are.
        """
        return {
            words
            for start in range(len(text) + 1)
            for length in self._lengths
            for words in self._openings.get(text[start : start + length], ())
            if text.startswith(words, start)
        }

    def taker(self, case_id: str | None = None) -> Callable[[str], str]:
        """A function from a question's wording to its id, for one pass over a case, or over all.

        Raises:
            ValueError: The data has no such case, or no such question (any more).
        """
        if case_id is not None and case_id not in self._cases:
            raise ValueError(f"the data has no case '{case_id}'")
        asked = self._worded if case_id is None else self._cases[case_id]
        where = "the data" if case_id is None else f"case '{case_id}'"
        left = {text: list(ids) for text, ids in asked.items()}

        def take(text: str) -> str:
            ids = left.get(text.strip())
            if not ids:
                raise ValueError(f"{where} has no question '{text[:80]}' (left)")
            return ids.pop(0)

        return take
