"""How large a task is: its cases, turns, questions and the tokens of their texts, counted.

The judge's prompts are counted from the task's own, filled in with gold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Ask, Case, Ingest, Item, Probe, Remember, Turn
from membench.domain.score import Gold, QuestionGold
from membench.judging.calibration import placeholder_case
from membench.tasks.base import AnyTask

Prompting = Callable[[AnswerInput], Sequence[Message]]
"""What asks a question: the messages of a prompt."""
COUNTED_CHARACTERS = 2_000_000
"""How much text is tokenized; what is beyond is scaled by its characters."""


@dataclass(frozen=True)
class TaskSize:
    """How large a task is.

    Attributes:
        cases: Number of cases.
        sessions: Ingest and remember events.
        turns: Turns and items.
        history_tokens: Tokens of all their texts.
        recalls: Asks and probes.
        answers: Asks times generations.
        answer_prompt_tokens: Tokens of all answer prompts without memories, generations included.
        judgements: Judge requests.
        judge_prompt_tokens: Tokens of all judge prompts.
        stored_tokens: Tokens that are stored when a question is asked, summed over answers.
        evidence_turns: Turns stored by then that are its evidence, summed over answers.
        evidence_tokens: Tokens of them.
    """

    cases: int = 0
    sessions: int = 0
    turns: int = 0
    history_tokens: int = 0
    recalls: int = 0
    answers: int = 0
    answer_prompt_tokens: int = 0
    judgements: int = 0
    judge_prompt_tokens: int = 0
    stored_tokens: int = 0
    evidence_turns: int = 0
    evidence_tokens: int = 0

    @property
    def turn_tokens(self) -> float:
        """Tokens of a turn, mean."""
        return self.history_tokens / max(1, self.turns)

    @property
    def session_tokens(self) -> float:
        """Tokens of a session, mean."""
        return self.history_tokens / max(1, self.sessions)

    @property
    def whole_history(self) -> float:
        """Tokens that are stored when a question is asked, mean; those of a case if unknown."""
        if self.stored_tokens:
            return self.stored_tokens / max(1, self.answers)
        return self.history_tokens / max(1, self.cases)


class TokenCounter:
    """Counts tokens of much text: exactly at first, then by the characters per token seen."""

    def __init__(self) -> None:
        """Nothing is counted yet."""
        self._characters = 0
        self._tokens = 0

    def count(self, text: str) -> float:
        """Tokens of a text."""
        if self._characters < COUNTED_CHARACTERS:
            from membench.tokens import count_tokens

            exact = count_tokens(text)
            self._characters += len(text)
            self._tokens += exact
            return exact
        return len(text) * self._tokens / self._characters


def size_of(
    task: AnyTask, cases: Iterable[tuple[Case, Gold]], ask: Prompting | None = None
) -> TaskSize:
    """Count a task's data; one pass.

    Args:
        task: The task.
        cases: Its cases.
        ask: What asks a question; None for the task.
    """
    ask = ask or task.answer_messages
    counter = TokenCounter()
    sums = dict.fromkeys((each.name for each in fields(TaskSize)), 0.0)
    for case, gold in cases:
        sums["cases"] += 1
        stored: dict[str, float] = {}
        for index, event in enumerate(case.timeline):
            if isinstance(event, Ask):
                _add_asked(sums, event, gold.questions.get(index), stored)
            stored |= _add_event(sums, ask, event, counter)
        for request in task.judgements(placeholder_case(case), gold):
            words = "\n".join(message.content for message in task.judge_messages(request))
            sums["judgements"] += 1
            sums["judge_prompt_tokens"] += counter.count(words)
    return TaskSize(**{name: round(value) for name, value in sums.items()})


def _add_event(
    sums: dict[str, float], ask: Prompting, event: object, counter: TokenCounter
) -> dict[str, float]:
    """Add one event to the sums.

    Returns:
        Tokens of each text that it stores, by its source id.
    """
    match event:
        case Ingest(session):
            return _add_stored(sums, session.turns, counter)
        case Remember(item):
            return _add_stored(sums, (item,), counter)
        case Ask(question, generations):
            messages = ask(AnswerInput(question.text, ()))
            words = "\n".join(message.content for message in messages)
            sums["recalls"] += 1
            sums["answers"] += generations
            sums["answer_prompt_tokens"] += generations * counter.count(words)
        case Probe():
            sums["recalls"] += 1
    return {}


def _add_stored(
    sums: dict[str, float], stored: Sequence[Turn | Item], counter: TokenCounter
) -> dict[str, float]:
    """Add what one event stores, and say how long each text is."""
    tokens = [counter.count(each.text) for each in stored]
    sums["sessions"] += 1
    sums["turns"] += len(stored)
    sums["history_tokens"] += sum(tokens)
    return {each.id: count for each, count in zip(stored, tokens, strict=True)}


def _add_asked(
    sums: dict[str, float], asked: Ask, gold: QuestionGold | None, stored: Mapping[str, float]
) -> None:
    """Add what is stored when a question is asked, and what of it is evidence."""
    evidence = [stored[turn] for turn in set(gold.evidence if gold else ()) if turn in stored]
    sums["stored_tokens"] += asked.generations * sum(stored.values())
    sums["evidence_turns"] += asked.generations * len(evidence)
    sums["evidence_tokens"] += asked.generations * sum(evidence)
