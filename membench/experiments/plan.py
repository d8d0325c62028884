"""What a prepared run would cost, before anything is called: what `membench plan` prints.

A model that runs here is asked for two seconds, for its speed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from pathlib import Path

from membench.domain.answer import AnswerInput
from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Role, Scalar
from membench.domain.system import Memory
from membench.experiments.estimate import FurtherJudge, Pace, RunEstimate, Setting, estimate
from membench.experiments.published_rows import RESULTS, row_of
from membench.experiments.recall_size import Recaller, RecallSize, recall_size
from membench.experiments.task_size import Prompting, TaskSize, size_of
from membench.experiments.traffic import AssumedTraffic, Traffic, profiled
from membench.harness.divisions import model_spec
from membench.harness.prepare import ResolvedRun, votes_of
from membench.harness.run_models import (
    answer_limit,
    check_window,
    configured,
    models_config,
    prompt_of,
)
from membench.llm.config import ModelSpec
from membench.llm.upstreams.local.entry import EXAMPLES, ModelSpeed

RECALLED = "recalled_tokens"
"""The assumption that is not one of the system's model calls: what one recall brings."""


def traffic_of(prepared: ResolvedRun, assume: Mapping[str, Scalar]) -> Traffic:
    """The traffic of a run's system: by its profile, unless something is to be assumed.

    Raises:
        UnknownName: There is no such assumption.
        UsageError: It has no such value.
    """
    known = None if assume else profiled(prepared.system, prepared.parameters)
    return known or assumed(assume)


def assumed(given: Mapping[str, Scalar]) -> AssumedTraffic:
    """Assumed traffic, some of it as wished.

    Raises:
        UnknownName: There is no such assumption.
        UsageError: A value that is no number from 0 up.
    """
    plain = AssumedTraffic()
    known = {each.name: getattr(plain, each.name) for each in fields(plain)}
    for name in given:
        if name not in known:
            raise UnknownName("assumption", name, [*known, RECALLED])
    return AssumedTraffic(**known | {name: amount(name, given[name]) for name in given})


def amount(name: str, value: Scalar) -> float:
    """The value of an assumption.

    Raises:
        UsageError: It is no number from 0 up.
    """
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if isinstance(value, bool) or not 0 <= found < math.inf:
        raise UsageError(f"--assume {name}={value}: must be a number from 0 up")
    return value if isinstance(value, int) else found


def plan_of(
    prepared: ResolvedRun,
    assume: Mapping[str, Scalar] | None = None,
    results: Sequence[Path] = (RESULTS,),
) -> RunEstimate:
    """What a prepared run would cost.

    Args:
        prepared: The run; nothing of it is started.
        assume: Fields of `AssumedTraffic` to assume otherwise, without the profile then; and
            `recalled_tokens`, what one recall brings.
        results: Folders of published rows, best first.

    Raises:
        UnknownName: There is no such assumption.
        UsageError: It has no such value, or a model's context is too short for what it has to do.
    """
    wishes = dict(assume or {})
    recalled = wishes.pop(RECALLED, None)
    traffic = traffic_of(prepared, wishes)
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
    size = size_of(prepared.task, prepared.cases(), ask)
    setting = Setting(
        specs,
        prepared.k,
        spec.token_budget,
        recall=recall_of(prepared, size, results) if recalled is None else wished(recalled, size),
        further_judges=further_judges(prepared),
        judge_votes=votes_of(spec),
        concurrency=options.concurrency,
        read_concurrency=options.read_concurrency,
        traffic=traffic,
        speeds={role: speed for role in specs if (speed := probed(specs[role])) is not None},
        answer_tokens=_answer_tokens(prepared, specs.get(Role.READER)),
        memory_overhead=memory_overhead(ask),
        example_tokens=example_tokens(ask, specs.get(Role.READER)),
    )
    return estimate(size, setting)


def recall_of(prepared: ResolvedRun, size: TaskSize, results: Sequence[Path]) -> RecallSize:
    """What one recall of a run's system brings, by the best that is known of it."""
    known = profiled(prepared.system, prepared.parameters)
    recaller = Recaller(
        prepared.system,
        prepared.parameters,
        prepared.k,
        row_of(prepared, results),
        None if known is None else known.profile,
    )
    return recall_size(recaller, size, prepared.spec.token_budget)


def wished(value: Scalar, size: TaskSize) -> RecallSize:
    """What one recall is to be taken to bring.

    Raises:
        UsageError: It is no number from 0 up.
    """
    tokens = amount(RECALLED, value)
    return RecallSize(tokens, tokens / max(1.0, size.turn_tokens), "as --assume has it")


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


def further_judges(prepared: ResolvedRun) -> tuple[FurtherJudge, ...]:
    """The judges beside the one that gives the scores, as the run would ask them."""
    specs = models_config(prepared).further_judges
    return tuple(FurtherJudge(spec, probed(spec)) for spec in specs)


def probed(spec: ModelSpec) -> ModelSpeed | None:
    """The speed of a local model that can be measured here, in two seconds; None of any other."""
    return None if spec.local is None else spec.local.probe(spec)


def _answer_tokens(prepared: ResolvedRun, spec: ModelSpec | None) -> int | None:
    """Output tokens of an answer: as assumed of any, or its limit where that is less."""
    if spec is None:
        return None
    return min(Pace().answer_tokens, answer_limit(prepared, spec))
