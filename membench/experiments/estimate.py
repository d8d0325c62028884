"""What a run would cost before anything is called: calls, tokens, dollars, hours.

Pure arithmetic over the size of the data (`TaskSize`, counted), the traffic of a system
(`Traffic`, from its documentation or assumed) and how long models take (`Pace`, assumed; a model
that runs here is asked for two seconds). Every assumption that a figure rests on is listed with it.
The judge's prompts are counted from the task's own, filled in with gold.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

from membench.domain.answer import AnswerInput, Message
from membench.domain.case import Ask, Case, Ingest, Probe, Remember
from membench.domain.errors import UnknownName
from membench.domain.labels import JsonObject, Phase, Role
from membench.domain.score import Gold
from membench.domain.system import Memory
from membench.harness.divisions import model_spec
from membench.harness.prepare import ResolvedRun, judges
from membench.harness.run_models import answer_limit, check_window, configured, prompt_of
from membench.judging.calibration import placeholder_case
from membench.llm import prices
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.entry import EXAMPLES, ModelSpeed
from membench.records.usage import Usage
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
        judgements: Judge requests, votes of the protocol included.
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


@dataclass(frozen=True)
class Traffic:
    """The model calls of a memory system; the defaults suit one extraction call per session.

    Attributes:
        chat_per_session: Chat calls when a session is stored.
        chat_per_turn: Chat calls for every turn of it.
        prompt_overhead: Tokens of instructions in each of these calls.
        history_share: How often a session's own text is sent per chat call (1: whole).
        completion_tokens: Tokens of each reply.
        chat_per_recall: Chat calls per recall.
        embeddings_per_turn: How often a turn's text is embedded while it is stored.
        embeddings_per_recall: Queries embedded per recall.
    """

    chat_per_session: float = 1.0
    chat_per_turn: float = 0.0
    prompt_overhead: int = 2000
    history_share: float = 1.0
    completion_tokens: int = 300
    chat_per_recall: float = 0.0
    embeddings_per_turn: float = 1.0
    embeddings_per_recall: float = 1.0


@dataclass(frozen=True)
class Pace:
    """How long things take and how long texts are, where nothing is known yet.

    Attributes:
        first_token_s: Seconds until a model begins to answer.
        tokens_per_s: Output tokens per second of one call.
        embedding_s: Seconds of an embeddings call.
        answer_tokens: Output tokens of an answer.
        verdict_tokens: Output tokens of a verdict.
        query_tokens: Tokens of a query.
    """

    first_token_s: float = 0.6
    tokens_per_s: float = 50.0
    embedding_s: float = 0.15
    answer_tokens: int = 60
    verdict_tokens: int = 70
    query_tokens: int = 15

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
    """An estimate with what it rests on."""

    rows: tuple[EstimateRow, ...]
    assumptions: tuple[str, ...]

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
        return {**totals, "rows": rows, "assumptions": list(self.assumptions)}


@dataclass(frozen=True)
class Setting:
    """The run that is estimated.

    Attributes:
        models: Model of every role that the run uses.
        k: Memories per recall.
        token_budget: Tokens the recalled texts may hold together.
        memory_tokens: Tokens of one memory; None takes the mean turn.
        judges: Judge models, the first one included.
        judge_votes: Votes per judgement; None takes the protocol's.
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
    memory_tokens: int | None = None
    judges: int = 1
    judge_votes: int | None = None
    concurrency: int = 1
    read_concurrency: int = 64
    traffic: Traffic = field(default_factory=Traffic)
    pace: Pace = field(default_factory=Pace)
    speeds: Mapping[Role, ModelSpeed] = field(default_factory=dict)
    answer_tokens: int | None = None
    memory_overhead: float = 0.0
    example_tokens: int = 0

    @property
    def answer_length(self) -> int:
        """Output tokens of an answer."""
        return self.pace.answer_tokens if self.answer_tokens is None else self.answer_tokens


def assumed(traffic: Traffic, given: Mapping[str, float]) -> Traffic:
    """Traffic with some assumptions replaced.

    Raises:
        UnknownName: There is no such assumption.
    """
    known = {each.name: getattr(traffic, each.name) for each in fields(Traffic)}
    for name in given:
        if name not in known:
            raise UnknownName("assumption", name, known)
    return Traffic(**{**known, **given})


def plan_of(prepared: ResolvedRun, assume: Mapping[str, float] | None = None) -> RunEstimate:
    """What a prepared run would cost.

    Args:
        prepared: The run; nothing of it is started.
        assume: Fields of `Traffic` to assume otherwise.

    Raises:
        UnknownName: There is no such assumption.
        UsageError: A model's context is too short for what it has to do.
    """
    traffic = assumed(Traffic(), assume or {})
    spec, options = prepared.spec, prepared.options
    used = {Role.READER, Role.JUDGE, *prepared.system.roles}
    models = {role: name for role, name in prepared.models.items() if role in used}
    specs = {
        role: configured(prepared, role, model_spec(spec, role, name))
        for role, name in models.items()
    }
    for role, model in specs.items():
        check_window(prepared, role, model, ask=False)
    ask = prompt_of(prepared)
    setting = Setting(
        specs,
        prepared.k,
        spec.token_budget,
        judges=len(judges(spec)),
        judge_votes=spec.judge_votes,
        concurrency=options.concurrency,
        read_concurrency=options.read_concurrency,
        traffic=traffic,
        speeds=probed(specs),
        answer_tokens=_answer_tokens(prepared, specs.get(Role.READER)),
        memory_overhead=memory_overhead(ask),
        example_tokens=example_tokens(ask, specs.get(Role.READER)),
    )
    return estimate(size_of(prepared.task, prepared.cases(), ask), setting)


def memory_overhead(ask: Prompting) -> float:
    """Tokens that a prompt adds to a memory, seen on one with a date and a source."""
    from membench.tokens import count_tokens

    def tokens(memories: tuple[Memory, ...]) -> int:
        return sum(count_tokens(m.content) for m in ask(AnswerInput("Who?", memories)))

    memory = Memory("Ada said something.", ("D10:12",), datetime(2031, 5, 12, 16, 5))
    own = count_tokens(memory.text)
    return max(0.0, tokens((memory, memory)) - tokens((memory,)) - own)


def example_tokens(ask: Prompting, spec: ModelSpec | None) -> int:
    """Tokens of the turns before a question, where a model computes them once."""
    from membench.tokens import count_tokens

    if spec is None or spec.cache_prompt != EXAMPLES:
        return 0
    return sum(count_tokens(turn.content) for turn in ask(AnswerInput("Who?", ()))[:-1])


def probed(specs: Mapping[Role, ModelSpec]) -> dict[Role, ModelSpeed]:
    """The speed of the local models that can be measured here, two seconds each."""
    found = {role: spec.local.probe(spec) for role, spec in specs.items() if spec.local is not None}
    return {role: speed for role, speed in found.items() if speed is not None}


def _answer_tokens(prepared: ResolvedRun, spec: ModelSpec | None) -> int | None:
    """Output tokens of an answer: as assumed of any, or its limit where that is less."""
    if spec is None:
        return None
    return min(Pace().answer_tokens, answer_limit(prepared, spec))


# --- counting ----------------------------------------------------------------------------------


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
            sums["judgements"] += request.votes
            sums["judge_prompt_tokens"] += request.votes * counter.count(words)
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


# --- estimating --------------------------------------------------------------------------------


def estimate(size: TaskSize, run: Setting) -> RunEstimate:
    """What a run over data of this size would cost."""
    rows = [
        *_ingest(size, run),
        *_recall(size, run),
        *_answer(size, run),
        *_judge(size, run),
    ]
    return RunEstimate(tuple(row for row in rows if row.calls), tuple(_assumptions(size, run)))


def _row(
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
    """A row, if the run has a model for the role."""
    spec = run.models.get(role)
    if spec is None:
        return []
    each_s = run.pace.call_s(completion / calls if calls else 0)
    if role == Role.EMBEDDER:
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
            prices.dollars(usage, prices.price_of(spec)),
            _hours(run.speeds.get(role), usage, calls * each_s / max(1, in_flight)),
        )
    ]


def _hours(speed: ModelSpeed | None, usage: Usage, assumed_s: float) -> float:
    """Hours by the speed that was probed, else as assumed."""
    if speed is None:
        return assumed_s / 3600
    computed = usage.prompt_tokens - usage.cached_tokens
    return speed.seconds(computed, usage.completion_tokens) / 3600


def _ingest(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Storing: extraction calls and embeddings."""
    traffic = run.traffic
    calls = size.sessions * traffic.chat_per_session + size.turns * traffic.chat_per_turn
    per_session = size.history_tokens / max(1, size.sessions)
    prompt = calls * (traffic.prompt_overhead + traffic.history_share * per_session)
    lanes = min(run.concurrency, size.cases)
    return [
        *_row(
            run,
            Phase.INGEST,
            Role.MEMORY,
            calls=calls,
            prompt=prompt,
            completion=calls * traffic.completion_tokens,
            in_flight=lanes,
        ),
        *_row(
            run,
            Phase.INGEST,
            Role.EMBEDDER,
            calls=size.sessions if traffic.embeddings_per_turn else 0,
            embedding=size.history_tokens * traffic.embeddings_per_turn,
            in_flight=lanes,
        ),
    ]


def _recall(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Recalling: query embeddings and what the system asks its model."""
    traffic, lanes = run.traffic, min(run.concurrency, size.cases)
    chat = size.recalls * traffic.chat_per_recall
    queries = size.recalls * traffic.embeddings_per_recall
    return [
        *_row(
            run,
            Phase.RECALL,
            Role.MEMORY,
            calls=chat,
            prompt=chat * (traffic.prompt_overhead + _context_tokens(size, run)),
            completion=chat * traffic.completion_tokens,
            in_flight=lanes,
        ),
        *_row(
            run,
            Phase.RECALL,
            Role.EMBEDDER,
            calls=queries,
            embedding=queries * run.pace.query_tokens,
            in_flight=lanes,
        ),
    ]


def _answer(size: TaskSize, run: Setting) -> list[EstimateRow]:
    """Answering from what was recalled."""
    return _row(
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
    """Judging; every judge sees every request."""
    times = run.judges * (run.judge_votes or 1)
    return _row(
        run,
        Phase.JUDGE,
        Role.JUDGE,
        calls=size.judgements * times,
        prompt=(size.judge_prompt_tokens + size.judgements * run.answer_length) * times,
        completion=size.judgements * run.pace.verdict_tokens * times,
        in_flight=run.read_concurrency,
    )


def _context_tokens(size: TaskSize, run: Setting) -> float:
    """Tokens of recalled text in an answer prompt."""
    mean_turn = size.history_tokens / max(1, size.turns)
    recalled = run.k * (run.memory_tokens or mean_turn)
    recalled = min(recalled, size.history_tokens / max(1, size.cases))
    return min(recalled, run.token_budget) if run.token_budget else recalled


def _shown_tokens(size: TaskSize, run: Setting) -> float:
    """The same with what the prompt adds to each memory."""
    mean_turn = size.history_tokens / max(1, size.turns)
    context = _context_tokens(size, run)
    return context + run.memory_overhead * context / max(1.0, run.memory_tokens or mean_turn)


def _assumptions(size: TaskSize, run: Setting) -> list[str]:
    """What the figures rest on, in words."""
    traffic, pace = run.traffic, run.pace
    lines = [
        f"{size.cases} cases, {size.turns} turns, {size.history_tokens} history tokens (counted)",
        f"{_context_tokens(size, run):.0f} tokens recalled per question (k = {run.k})",
        f"{run.answer_length} tokens per answer, {pace.verdict_tokens} per verdict",
        f"a call takes {pace.first_token_s:g} s plus {1 / pace.tokens_per_s:g} s per output token",
        "list prices without cache discounts; retries and failures not counted",
    ]
    lines += [
        f"the {role} model {run.models[role].model} was probed: "
        f"{speed.prompt_tokens_per_s:.0f} prompt and {speed.completion_tokens_per_s:.0f} output "
        f"tokens per second, {speed.slots} calls at once"
        for role, speed in run.speeds.items()
    ]
    if Role.MEMORY in run.models:
        lines.insert(
            1,
            f"the system makes {traffic.chat_per_session:g} chat calls per session and "
            f"{traffic.chat_per_turn:g} per turn, with {traffic.prompt_overhead} tokens of "
            f"instructions and {traffic.completion_tokens} tokens of reply, and "
            f"{traffic.chat_per_recall:g} per recall",
        )
    if Role.JUDGE in run.models:
        votes = run.judge_votes or 1
        lines.append(
            f"{size.judgements} judgements, {run.judges} judge(s), {votes} vote(s); one extracted "
            "memory per session where memories are judged one by one"
        )
    return lines


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
