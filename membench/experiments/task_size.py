"""How large a task is: its cases, turns, questions and the tokens of their texts, counted.

The judge's prompts are counted from the task's own, filled in with gold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Ask, Case, Ingest, Probe, Remember
from membench.domain.score import Gold
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
        for event in case.timeline:
            _add_event(sums, ask, event, counter)
        for request in task.judgements(placeholder_case(case), gold):
            words = "\n".join(message.content for message in task.judge_messages(request))
            sums["judgements"] += 1
            sums["judge_prompt_tokens"] += counter.count(words)
    return TaskSize(**{name: round(value) for name, value in sums.items()})


def _add_event(
    sums: dict[str, float], ask: Prompting, event: object, counter: TokenCounter
) -> None:
    """Add one event to the sums."""
    match event:
        case Ingest(session):
            _add_stored(sums, [turn.text for turn in session.turns], counter)
        case Remember(item):
            _add_stored(sums, [item.text], counter)
        case Ask(question, generations):
            messages = ask(AnswerInput(question.text, ()))
            words = "\n".join(message.content for message in messages)
            sums["recalls"] += 1
            sums["answers"] += generations
            sums["answer_prompt_tokens"] += generations * counter.count(words)
        case Probe():
            sums["recalls"] += 1


def _add_stored(sums: dict[str, float], texts: Sequence[str], counter: TokenCounter) -> None:
    """Add what one event stores."""
    sums["sessions"] += 1
    sums["turns"] += len(texts)
    sums["history_tokens"] += sum(counter.count(text) for text in texts)
