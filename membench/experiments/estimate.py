"""What a run would cost before anything is called: calls, tokens, dollars, hours.

Pure arithmetic over the size of the data (`TaskSize`, counted), the traffic of a system
(`Traffic`, by its profile or assumed) and how long models take (`Pace`, assumed). Every assumption
that a figure rests on is listed with it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields

from membench.domain.labels import SYSTEM_ROLES, JsonObject, Phase, Role
from membench.experiments.recall_size import RecallSize, turns_assumed
from membench.experiments.task_size import TaskSize
from membench.experiments.traffic import AssumedTraffic, RoleTraffic, Traffic
from membench.llm import prices
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.entry import ModelSpeed
from membench.metrics.numbers import counted
from membench.records.usage import Usage

CALLS_OF = {Role.EMBEDDER: "an embeddings call", Role.RERANKER: "a rerank call"}
"""What calls of models that write nothing are called."""


@dataclass(frozen=True)
class Pace:
    """How long things take and how long texts are, where nothing is known yet.

    Attributes:
        first_token_s: Seconds until a model begins to answer.
        tokens_per_s: Output tokens per second of one call.
        embedding_s: Seconds of an embeddings or rerank call.
        answer_tokens: Output tokens of an answer.
        verdict_tokens: Output tokens of a verdict.
    """

    first_token_s: float = 0.6
    tokens_per_s: float = 50.0
    embedding_s: float = 0.15
    answer_tokens: int = 60
    verdict_tokens: int = 70

    def call_s(self, completion_tokens: float) -> float:
        """Seconds of a chat call."""
        return self.first_token_s + completion_tokens / self.tokens_per_s


@dataclass(frozen=True)
class EstimateRow:
    """One phase and role of an estimate.

    Attributes:
        phase: What it is charged to.
        role: Which model.
        model: Its name.
        calls: Number of calls.
        prompt_tokens: Input tokens of chat.
        completion_tokens: Output tokens.
        embedding_tokens: Input tokens of embeddings.
        usd: Dollars at list price without cache discounts; None if the price is unknown.
        hours: At the run's concurrency, one phase after the other.
    """

    phase: Phase
    role: Role
    model: str
    calls: int
    prompt_tokens: int
    completion_tokens: int
    embedding_tokens: int
    usd: float | None
    hours: float


@dataclass(frozen=True)
class RunEstimate:
    """An estimate with what it rests on.

    Attributes:
        rows: By phase and role.
        assumptions: What the figures rest on, in words.
        unpriced: Of each model without a known price, why, and what to do about it.
    """

    rows: tuple[EstimateRow, ...]
    assumptions: tuple[str, ...]
    unpriced: tuple[str, ...] = ()

    @property
    def calls(self) -> int:
        """All calls."""
        return sum(row.calls for row in self.rows)

    @property
    def tokens(self) -> int:
        """All tokens."""
        return sum(r.prompt_tokens + r.completion_tokens + r.embedding_tokens for r in self.rows)

    @property
    def usd(self) -> float | None:
        """All dollars; None if one price is unknown."""
        known = [row.usd for row in self.rows if row.usd is not None]
        return sum(known) if len(known) == len(self.rows) else None

    @property
    def hours(self) -> float:
        """All hours: the stages follow one another."""
        return sum(row.hours for row in self.rows)

    def to_json(self) -> JsonObject:
        """Totals, rows and assumptions as plain values."""
        rows = [
            {each.name: getattr(row, each.name) for each in fields(EstimateRow)}
            for row in self.rows
        ]
        totals = {"calls": self.calls, "tokens": self.tokens, "usd": self.usd, "hours": self.hours}
        words = {"assumptions": list(self.assumptions), "unpriced": list(self.unpriced)}
        return {**totals, "rows": rows, **words}


@dataclass(frozen=True)
class FurtherJudge:
    """A judge beside the one that gives the scores.

    Attributes:
        model: Its model.
        speed: How fast it is on this machine, where it runs here and was probed.
    """

    model: ModelSpec
    speed: ModelSpeed | None = None


@dataclass(frozen=True)
class Setting:
    """The run that is estimated.

    Attributes:
        models: Model of every role that the run uses.
        k: Memories per recall.
        token_budget: Tokens the recalled texts may hold together.
        recall: What one recall brings; None where nothing is known of the system.
        further_judges: Judges beside the one in `models`, asked one after another.
        judge_votes: Votes of each of them per judgement.
        concurrency: Cases in flight.
        read_concurrency: Answers and judgements in flight.
        traffic: Model calls of the system.
        pace: How long they take.
        speeds: How fast local models are on this machine, as probed.
        answer_tokens: Output tokens of an answer; None takes the pace's.
        memory_overhead: Tokens that a prompt adds to each memory: its number, date and sources.
        example_tokens: Tokens of a question's prompt that the model computes once for all.
    """

    models: Mapping[Role, ModelSpec]
    k: int
    token_budget: int | None = None
    recall: RecallSize | None = None
    further_judges: tuple[FurtherJudge, ...] = ()
    judge_votes: int = 1
    concurrency: int = 1
    read_concurrency: int = 64
    traffic: Traffic = field(default_factory=AssumedTraffic)
    pace: Pace = field(default_factory=Pace)
    speeds: Mapping[Role, ModelSpeed] = field(default_factory=dict)
    answer_tokens: int | None = None
    memory_overhead: float = 0.0
    example_tokens: int = 0

    def models_of(self, role: Role) -> list[tuple[ModelSpec, ModelSpeed | None]]:
        """Every model of a role, with its speed where it was probed."""
        first = [(self.models[role], self.speeds.get(role))] if role in self.models else []
        further = self.further_judges if role == Role.JUDGE else ()
        return [*first, *((judge.model, judge.speed) for judge in further)]

    @property
    def answer_length(self) -> int:
        """Output tokens of an answer."""
        return self.pace.answer_tokens if self.answer_tokens is None else self.answer_tokens

    def recalled(self, size: TaskSize) -> RecallSize:
        """What one recall brings, within the token budget."""
        if self.recall is not None:
            return self.recall.within(self.token_budget)
        return turns_assumed(size, self.k).within(size.whole_history).within(self.token_budget)

    def lanes(self, size: TaskSize) -> int:
        """Cases in flight."""
        return max(1, min(self.concurrency, size.cases))


def estimate(size: TaskSize, run: Setting) -> RunEstimate:
    """What a run over data of this size would cost."""
    rows = [
        *_ingest(size, run),
        *_recall(size, run),
        *_answer(size, run),
        *_judge(size, run),
    ]
    called = tuple(row for row in rows if row.calls)
    return RunEstimate(called, tuple(_assumptions(size, run)), tuple(_unpriced(run)))


def _unpriced(run: Setting) -> Iterator[str]:
    """Why dollars are unknown, for each model that has no price."""
    for role in run.models:
        for spec, _ in run.models_of(role):
            if problem := prices.unpriced(spec, role):
                yield f"{problem.reason}. {problem.remedy}"


def _rows(
    run: Setting,
    phase: Phase,
    role: Role,
    *,
    calls: float,
    prompt: float = 0,
    completion: float = 0,
    embedding: float = 0,
    cached: float = 0,
    in_flight: int,
) -> list[EstimateRow]:
    """A row for each model that the run has for the role: a judge may have others beside it."""
    each_s = run.pace.call_s(completion / calls if calls else 0)
    if role in prices.WITHOUT_REPLIES:
        each_s = run.pace.embedding_s
    usage = Usage(
        prompt_tokens=round(prompt),
        completion_tokens=round(completion),
        embedding_tokens=round(embedding),
        cached_tokens=round(cached),
    )
    return [
        EstimateRow(
            phase,
            role,
            spec.model,
            round(calls),
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.embedding_tokens,
            prices.dollars(usage, prices.price_of(spec), calls),
            _hours(speed, usage, calls * each_s / max(1, in_flight)),
        )
        for spec, speed in run.models_of(role)
    ]


def _hours(speed: ModelSpeed | None, usage: Usage, assumed_s: float) -> float:
    """Hours by the speed that was probed, else as assumed."""
    if speed is None:
        return assumed_s / 3600
    computed = usage.prompt_tokens - usage.cached_tokens
    return speed.seconds(computed, usage.completion_tokens) / 3600


def _ingest(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Storing: extraction calls and embeddings."""
    return _system(size, run, Phase.INGEST, lambda role: run.traffic.storing(size, role))


def _recall(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Recalling: query embeddings and what the system asks its model."""
    context = run.recalled(size).tokens
    return _system(size, run, Phase.RECALL, lambda role: run.traffic.asking(size, role, context))


def _system(
    size: TaskSize, run: Setting, phase: Phase, traffic: Callable[[Role], RoleTraffic]
) -> list[EstimateRow]:
    """The rows of the system's own models."""
    rows = []
    for role in SYSTEM_ROLES:
        asked = traffic(role)
        rows += _rows(
            run,
            phase,
            role,
            calls=asked.calls,
            prompt=asked.prompt_tokens,
            completion=asked.completion_tokens,
            embedding=asked.embedding_tokens,
            in_flight=run.lanes(size),
        )
    return rows


def _answer(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Answering from what was recalled."""
    return _rows(
        run,
        Phase.ANSWER,
        Role.READER,
        calls=size.answers,
        prompt=size.answer_prompt_tokens + size.answers * _shown_tokens(size, run),
        completion=size.answers * run.answer_length,
        cached=size.answers * run.example_tokens,
        in_flight=run.read_concurrency,
    )


def _judge(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Judging: every judge gives all its votes on every request."""
    times = run.judge_votes
    return _rows(
        run,
        Phase.JUDGE,
        Role.JUDGE,
        calls=size.judgements * times,
        prompt=(size.judge_prompt_tokens + size.judgements * run.answer_length) * times,
        completion=size.judgements * run.pace.verdict_tokens * times,
        in_flight=run.read_concurrency,
    )


def _shown_tokens(size: TaskSize, run: Setting) -> float:
    """Tokens that one recall adds to an answer prompt, with what the prompt adds to each memory."""
    recalled = run.recalled(size)
    return recalled.tokens + run.memory_overhead * recalled.memories


def _assumptions(size: TaskSize, run: Setting) -> Iterator[str]:
    """What the figures rest on, in words: only what this run has."""
    yield (
        f"{counted(size.cases, 'case')}, {counted(size.turns, 'turn')}, "
        f"{counted(size.history_tokens, 'history token')} (counted)"
    )
    if own := run.models.keys() & set(SYSTEM_ROLES):
        yield run.traffic.describe(own)
    chats = Role.MEMORY in own and run.traffic.asks_about_context
    if Role.READER in run.models or chats:
        recalled = run.recalled(size)
        yield f"{recalled.tokens:,.0f} tokens recalled per question: {recalled.basis}"
    yield from _lengths(size, run)
    if any(not spec.is_local for role in run.models for spec, _ in run.models_of(role)):
        yield "list prices without cache discounts; retries and failures not counted"
    yield from _times(size, run)


def _lengths(size: TaskSize, run: Setting) -> Iterator[str]:
    """How long answers and verdicts are taken to be."""
    judged = Role.JUDGE in run.models
    if judged or Role.READER in run.models:
        verdicts = f", {run.pace.verdict_tokens} per verdict" if judged else ""
        yield f"{run.answer_length} tokens per answer{verdicts}"
    if judged:
        judges = counted(len(run.models_of(Role.JUDGE)), "judge")
        yield (
            f"{counted(size.judgements, 'judgement')}, {judges}, "
            f"{counted(run.judge_votes, 'vote')}; one extracted memory per session where memories "
            "are judged one by one"
        )


def _times(size: TaskSize, run: Setting) -> Iterator[str]:
    """How long calls are taken to last, and how many are in flight."""
    every = [(role, *each) for role in run.models for each in run.models_of(role)]
    probed = [(role, spec, speed) for role, spec, speed in every if speed is not None]
    guessed = {role for role, _, speed in every if speed is None}
    pace = run.pace
    if guessed - prices.WITHOUT_REPLIES:
        yield (
            f"a {'chat call of any other model' if probed else 'chat call'} takes "
            f"{pace.first_token_s:g} s plus {1 / pace.tokens_per_s:g} s per output token"
        )
    if wordless := sorted(guessed & prices.WITHOUT_REPLIES):
        kinds = " or ".join(CALLS_OF[role] for role in wordless)
        yield f"{kinds} takes {pace.embedding_s:g} s"
    if guessed:
        yield f"in flight at once: {', '.join(_in_flight(size, run, guessed))}"
    for role, spec, speed in probed:
        yield (
            f"the {role} model {spec.model} was probed: "
            f"{speed.prompt_tokens_per_s:.0f} prompt and {speed.completion_tokens_per_s:.0f} "
            f"output tokens per second, {counted(speed.slots, 'call')} at once"
        )


def _in_flight(size: TaskSize, run: Setting, roles: Collection[Role]) -> Iterator[str]:
    """What bounds the calls of some roles."""
    if not set(SYSTEM_ROLES).isdisjoint(roles):
        yield f"{counted(run.lanes(size), 'call')} of the system (--concurrency)"
    read = {Role.READER: "answer", Role.JUDGE: "verdict"}
    if words := [f"{word}s" for role, word in read.items() if role in roles]:
        yield f"{run.read_concurrency} {' or '.join(words)} (--read-concurrency)"


def total(plans: Iterable[RunEstimate]) -> JsonObject:
    """Totals of a grid of runs made one after another; dollars None if one is unknown."""
    listed = list(plans)
    known = [plan.usd for plan in listed if plan.usd is not None]
    return {
        "runs": len(listed),
        "calls": sum(plan.calls for plan in listed),
        "tokens": sum(plan.tokens for plan in listed),
        "usd": sum(known) if len(known) == len(listed) else None,
        "hours": sum(plan.hours for plan in listed),
    }
