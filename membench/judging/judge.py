"""Verdicts: a judge model, the task's prompt, strict parsing, votes.

A reply that is not what the prompt asked for is asked for again and in the end a failure, never a
score. Votes of one judge are combined into one verdict; several judges are run side by side,
the first gives the scores, the others tell how far judges agree (`agreement`).
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import combinations

from membench.domain.errors import JudgeFault, ProviderFault, Reason
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.outcome import Outcome
from membench.domain.score import JudgeRequest, Verdict
from membench.llm.aio.bounded import in_flight_once_proven
from membench.llm.client import ModelClient, cost_of
from membench.llm.upstreams.secrets import redacted
from membench.metrics.agreement import cohen_kappa
from membench.records.usage import Usage
from membench.tasks.base import AnyTask
from membench.tasks.card import JudgeCard

TRIES = 3
"""Attempts at a vote whose reply cannot be parsed."""


LONGEST_REPLY = 300
"""Characters that are kept of a reply that cannot be parsed."""


@dataclass(frozen=True)
class Vote:
    """One reply of a judge.

    Attributes:
        values: Parsed output fields; None if no reply could be parsed.
        reason: Why there are none.
        detail: As text, for telemetry.
        usage: What the vote cost, unparsable tries included.
    """

    values: JsonView | None
    reason: Reason | None = None
    detail: str = ""
    usage: Usage = field(default_factory=Usage)


@dataclass(frozen=True)
class Judgement:
    """What a judge came to about one request.

    Attributes:
        case: Opaque case id.
        request: What was judged.
        verdict: The combined verdict.
        votes: Labels of the votes in order, None for a vote that failed.
        usage: What it cost.
        start: When it began, on the caller's clock.
        end: When it ended.
        detail: Why it failed, in words, for telemetry.
        seat: Which judge.
    """

    case: str
    request: JudgeRequest
    verdict: Verdict
    votes: tuple[str | None, ...]
    usage: Usage
    start: float
    end: float
    detail: str = ""
    seat: int = 0


@dataclass(frozen=True)
class Judge:
    """One judge of a run.

    Attributes:
        client: The run's models.
        task: Whose prompts and parsing.
        seat: Which of the run's judges.
        votes: Votes per request.
        official: The benchmark's own prompts by request kind, in place of ours.
        temperature: None takes the role's; votes that should differ need one above 0.
        now: Clock for the spans.
    """

    client: ModelClient
    task: AnyTask
    seat: int = 0
    votes: int = 1
    official: Mapping[str, str] = field(default_factory=dict)
    temperature: float | None = None
    now: Callable[[], float] = time.time

    async def judge(self, case: str, request: JudgeRequest) -> Judgement:
        """Judge one request.

        Raises:
            Stopped: The budget is spent.
        """
        start = self.now()
        votes = [await self._vote(case, request, number) for number in range(self.votes)]
        verdict = combined(request.id, votes)
        failed = next((vote.detail for vote in votes if vote.reason), "")
        return Judgement(
            case,
            request,
            verdict,
            tuple(_label(vote) for vote in votes),
            sum((vote.usage for vote in votes), Usage()),
            start,
            self.now(),
            "" if verdict.outcome.ok else failed,
            self.seat,
        )

    async def _vote(self, case: str, request: JudgeRequest, number: int) -> Vote:
        """One vote; asked for again while it cannot be parsed."""
        usage, detail, text = Usage(), "", ""
        for attempt in range(TRIES):
            key = f"{request.id}#{number}.{attempt}@{self.seat}"
            try:
                text, cost = await self._ask(case, request, key)
                usage += cost
                return Vote(self.task.parse_verdict(request, text), usage=usage)
            except JudgeFault as fault:
                detail = f"{fault.detail}; it said: {redacted(text)[:LONGEST_REPLY]!r}"
            except ProviderFault as fault:
                return Vote(None, Reason.JUDGE_ERROR, str(fault), usage + cost_of(fault))
        return Vote(None, Reason.JUDGE_UNPARSABLE, detail, usage)

    async def _ask(self, case: str, request: JudgeRequest, key: str) -> tuple[str, Usage]:
        """One call of the judge model."""
        card = self.task.card.judges[request.kind]
        official = self.official.get(request.kind)
        messages = self.task.judge_messages(request, official)
        reply = await self.client.chat(
            Role.JUDGE,
            [{"role": message.role, "content": message.content} for message in messages],
            case=case,
            key=key,
            temperature=self.temperature,
            response_format=None if official else response_format(card),
            seat=self.seat,
        )
        return reply.text, reply.usage

    def judge_all(
        self, requests: Iterable[tuple[str, JudgeRequest]], concurrency: int = 64
    ) -> AsyncIterator[Judgement]:
        """Judge a stream of (opaque case id, request), many at once; results in any order."""
        proven = partial(self.client.has_answered, Role.JUDGE, self.seat)
        return in_flight_once_proven(lambda job: self.judge(*job), requests, concurrency, proven)


def response_format(card: JudgeCard) -> JsonObject | None:
    """The structured output that a judge prompt of ours asks for; None for one word."""
    if card.one_word:
        return None
    fields: JsonObject = {"reasoning": {"type": "string"}}
    for name, allowed in {"label": card.labels, **card.extra}.items():
        fields[name] = {"type": "string", "enum": list(allowed)}
    schema = {
        "type": "object",
        "properties": fields,
        "required": list(fields),
        "additionalProperties": False,
    }
    form = {"name": "verdict", "schema": schema, "strict": True}
    return {"type": "json_schema", "json_schema": form}


def _label(vote: Vote) -> str | None:
    """The label of a vote, None if it failed."""
    return None if vote.values is None else str(vote.values["label"])


def combined(request_id: str, votes: Sequence[Vote]) -> Verdict:
    """One verdict from the votes of one judge.

    Failed votes do not count; if half of the votes or more failed, the verdict failed. Grades
    (whole numbers) are combined by their lower median, other labels by plurality, the label that
    was cast first among equals. The other fields are those of the first vote with that label.
    """
    cast = [vote for vote in votes if vote.values is not None]
    if not votes or len(cast) * 2 <= len(votes):
        reasons = Counter(vote.reason for vote in votes if vote.reason)
        reason = reasons.most_common(1)[0][0] if reasons else Reason.JUDGE_ERROR
        return Verdict(request_id, Outcome(False, reason))
    labels = [str(vote.values["label"]) for vote in cast if vote.values is not None]
    chosen = _chosen(labels)
    values = next(v.values for v in cast if v.values is not None and _label(v) == chosen)
    split = {"votes": dict(Counter(labels))} if len(votes) > 1 else {}
    return Verdict(request_id, Outcome(), {**values, **split})


def _chosen(labels: Sequence[str]) -> str:
    """The label that the votes come to."""
    if all(label.isdecimal() for label in labels):
        return sorted(labels, key=int)[(len(labels) - 1) // 2]
    return Counter(labels).most_common(1)[0][0]


@dataclass(frozen=True)
class Agreement:
    """How far two judges agree.

    Attributes:
        seats: The two judges.
        n: Requests that both judged.
        agreed: Share of equal labels; None without any.
        kappa: Cohen's kappa; None where it is not defined.
    """

    seats: tuple[int, int]
    n: int
    agreed: float | None
    kappa: float | None


def agreement(verdicts: Mapping[int, Mapping[str, Verdict]]) -> list[Agreement]:
    """Pairwise agreement of judges.

    Args:
        verdicts: Verdicts by request id, by seat.
    """
    return [_agreement((a, b), verdicts[a], verdicts[b]) for a, b in combinations(verdicts, 2)]


def _agreement(
    seats: tuple[int, int], one: Mapping[str, Verdict], other: Mapping[str, Verdict]
) -> Agreement:
    """Agreement of two judges over what both could judge."""
    both = [key for key in one if key in other and one[key].outcome.ok and other[key].outcome.ok]
    first = [str(one[key].values["label"]) for key in both]
    second = [str(other[key].values["label"]) for key in both]
    agreed = sum(a == b for a, b in zip(first, second, strict=True))
    share = agreed / len(both) if both else None
    return Agreement(seats, len(both), share, cohen_kappa(first, second))
