"""The LLM reader: a task's answer prompt, a model, many answers in flight."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ClassVar, Protocol

from membench.domain.answer import AnswerInput, Message
from membench.domain.errors import ProviderFault, Reason
from membench.domain.labels import Role
from membench.domain.outcome import Outcome
from membench.llm.aio.bounded import in_flight_once_proven
from membench.llm.client import ChatResult, ModelClient, cost_of
from membench.readers.card import ReaderCard
from membench.records.usage import Usage
from membench.tasks.base import AnyTask
from membench.tasks.prompts import without_reasoning
from membench.tokens import count_tokens

MARGIN = 1.3
"""Tokens of a small vocabulary for one of o200k_base, at most; measured up to 1.2 on English."""
PER_MESSAGE = 8
"""Tokens that a chat template adds to a message, at most."""


@dataclass(frozen=True)
class ReadRequest:
    """One answer that is wanted.

    Attributes:
        case: Opaque case id.
        event: Index of the ask in the timeline.
        generation: Which of its generations.
        given: What the reader gets.
    """

    case: str
    event: int
    generation: int
    given: AnswerInput


@dataclass(frozen=True)
class LlmAnswer:
    """One answer of a model, or why there is none.

    Attributes:
        asked: What was wanted.
        outcome: Failed with the provider's reason where the model gave no usable reply.
        text: The answer without its reasoning trace; None exactly when it failed.
        finish_reason: Why the model stopped; `length` marks an answer that was cut.
        usage: What it cost.
        start: When it began, on the caller's clock.
        end: When it ended.
        detail: Why it failed, in words, for telemetry.
        cut: Recalled memories that the model was not sent.
    """

    asked: ReadRequest
    outcome: Outcome
    text: str | None
    finish_reason: str | None
    usage: Usage
    start: float
    end: float
    detail: str = ""
    cut: int = 0


class ModelReader(Protocol):
    """A reader that calls the run's reader model."""

    def answer_all(
        self, asks: Iterable[ReadRequest], concurrency: int = 64
    ) -> AsyncIterator[LlmAnswer]:
        """Answer a stream of asks, many at once; results in any order, one per ask.

        Raises:
            Stopped: The budget is spent.
        """


@dataclass(frozen=True)
class LlmReader:
    """Answers with the run's reader model.

    Attributes:
        client: The run's models.
        task: Whose answer prompt, temperature and length.
        now: Clock for the spans.
        temperature: None takes the protocol's.
        max_tokens: Tokens that an answer may have; None leaves it to the role.
        window: Tokens of the model's context; None if unknown.
        budget: Tokens (o200k_base) that memories may add to the prompt; None for no bound.
        stop: Where a reply ends; empty for where the model ends it.
    """

    stop: ClassVar[Sequence[str]] = ()

    client: ModelClient
    task: AnyTask
    now: Callable[[], float] = field(default=time.time)
    temperature: float | None = None
    max_tokens: int | None = None
    window: int | None = None
    budget: int | None = None

    async def answer(self, asked: ReadRequest) -> LlmAnswer:
        """Answer one ask once.

        Raises:
            Stopped: The budget is spent.
        """
        start = self.now()
        given = self.fitted(asked.given)
        cut = len(asked.given.memories) - len(given.memories)
        try:
            reply = await self._ask(asked, self.messages(given))
        except ProviderFault as fault:
            outcome = Outcome(False, fault.reason)
            usage = cost_of(fault)
            return LlmAnswer(
                asked, outcome, None, None, usage, start, self.now(), fault.detail, cut
            )
        end = max(start, self.now() - reply.lag_s)
        text, finish, usage = without_reasoning(reply.text), reply.finish_reason, reply.usage
        detail = ""
        if not text and finish == "length":
            detail = (
                f"the reply was cut after {usage.completion_tokens} tokens, before it came to an "
                "answer: raise --model-set reader.max_tokens"
            )
        elif not text and reply.text.strip():
            detail = "the reply holds a thought and no answer"
        if detail:
            outcome = Outcome(False, Reason.PROVIDER_BAD_REPLY)
            return LlmAnswer(asked, outcome, None, finish, usage, start, end, detail, cut)
        return LlmAnswer(asked, Outcome(), text, finish, usage, start, end, cut=cut)

    def messages(self, given: AnswerInput) -> list[Message]:
        """The prompt for one question: the task's own."""
        return self.task.answer_messages(given)

    def fitted(self, given: AnswerInput) -> AnswerInput:
        """As many of the recalled memories as fit the window and the budget, best first.

        Whole memories are left out from the end of the ranking until the prompt fits. What a prompt
        adds to a memory (its number, its date) counts, so texts that fit a budget may not.
        """
        fits, above = 0, len(given.memories) + 1
        room = self._room(given)
        if room is None or self._tokens(given) <= room:
            return given
        while fits + 1 < above:
            middle = (fits + above) // 2
            short = replace(given, memories=given.memories[:middle])
            fits, above = (middle, above) if self._tokens(short) <= room else (fits, middle)
        return replace(given, memories=given.memories[:fits])

    def _room(self, given: AnswerInput) -> float | None:
        """Tokens of o200k_base that a prompt may have; None for no bound.

        The window is counted in the model's own tokens, taken to be at most `MARGIN` times as many,
        and holds the answer too.
        """
        rooms: list[float] = []
        if self.window is not None:
            rooms.append((self.window - (self.max_tokens or 0)) / MARGIN)
        if self.budget is not None:
            rooms.append(self._tokens(replace(given, memories=())) + self.budget)
        return min(rooms, default=None)

    def _tokens(self, given: AnswerInput) -> int:
        """Tokens of the prompt by o200k_base, with what a chat template adds to a message."""
        return sum(count_tokens(m.content) + PER_MESSAGE for m in self.messages(given))

    async def _ask(self, asked: ReadRequest, messages: Sequence[Message]) -> ChatResult:
        """The model's reply."""
        chosen = self.temperature
        return await self.client.chat(
            Role.READER,
            [{"role": message.role, "content": message.content} for message in messages],
            case=asked.case,
            key=f"{asked.event}/{asked.generation}",
            temperature=self.task.card.answer_temperature if chosen is None else chosen,
            max_tokens=self.max_tokens,
            stop=self.stop,
        )

    def answer_all(
        self, asks: Iterable[ReadRequest], concurrency: int = 64
    ) -> AsyncIterator[LlmAnswer]:
        """Answer a stream of asks, many at once; results in any order."""
        proven = partial(self.client.has_answered, Role.READER)
        return in_flight_once_proven(self.answer, asks, concurrency, proven)


READER = ReaderCard("llm", "model", "A model that answers the task's own prompt.", LlmReader)
