"""Time, tokens and CPU seconds as a summary has them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from membench.domain.labels import JsonObject, JsonView
from membench.records.fields import known_fields, plain_fields
from membench.records.usage import PhaseUsage


@dataclass(frozen=True)
class PhaseTime:
    """Seconds of a phase.

    Attributes:
        total: Sum of spans.
        wall: Length of their union.
        p50: Median span; None without any.
        p95: 95th percentile; None without any.
    """

    total: float
    wall: float
    p50: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class ContextTokens:
    """Tokens recalled per ask; None where nothing was recalled."""

    mean: float | None = None
    p95: float | None = None


@dataclass(frozen=True)
class ContextCut:
    """Contexts that were cut to fit the reader's window or the budget of tokens.

    Attributes:
        questions: Questions whose recalled memories did not all fit.
        memories: Memories that were left out of them.
    """

    questions: int = 0
    memories: int = 0


@dataclass(frozen=True)
class StoredMemories:
    """What was left in the stores of a run.

    Attributes:
        cases: Cases whose store was counted.
        empty: Cases of them in which nothing was stored.
        mean: Mean memories in a store; None without any counted.
    """

    cases: int = 0
    empty: int = 0
    mean: float | None = None

    @property
    def nothing(self) -> bool:
        """Whether every store that was counted stayed empty."""
        return 0 < self.cases == self.empty

    @classmethod
    def from_json(cls, stored: JsonView | None) -> Self:
        """Read it back; a summary without the entry counted no store."""
        return cls(**known_fields(cls, stored or {}))


@dataclass(frozen=True)
class AbandonedCost:
    """What attempts that do not count cost.

    Attributes:
        time_s: Sum of spans.
        cpu_s: CPU seconds; None if unknown.
        usage: Model calls by phase.
    """

    time_s: float = 0.0
    cpu_s: float | None = 0.0
    usage: Mapping[str, PhaseUsage] = field(default_factory=dict)

    def to_json(self) -> JsonObject:
        """As in the summary."""
        return plain_fields(self) | {"usage": usage_to_json(self.usage)}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        return cls(**known_fields(cls, stored) | {"usage": usage_from_json(stored.get("usage"))})


@dataclass(frozen=True)
class RunCosts:
    """What a run cost without joules.

    Attributes:
        usage: Model calls by phase.
        turns: Turns that were ingested; None where nobody saw it (predictions made elsewhere).
        tokens: Tokens of their texts, likewise.
        context_tokens: Tokens recalled per ask.
        context_cut: Contexts that were cut; not written without any.
        replies: What became of the replies that the system asked its model for, by outcome; not
            written where no system counts them.
        recalled: Mean memories per ask; None where nothing was recalled.
        stored: Memories in the store of a case after its last change; not written where no store
            was counted.
        time_s: Seconds by phase.
        cpu_s: CPU seconds by phase, of lanes, their children and models; None where the machine of
            a model is not metered.
        peak_rss_bytes: Largest resident memory of a lane.
        store_bytes: Largest store.
        late_calls: Calls after their phase was closed.
        abandoned: What attempts that do not count cost.
    """

    usage: Mapping[str, PhaseUsage] = field(default_factory=dict)
    turns: int | None = 0
    tokens: int | None = 0
    context_tokens: ContextTokens = field(default_factory=ContextTokens)
    context_cut: ContextCut = field(default_factory=ContextCut)
    replies: Mapping[str, int] = field(default_factory=dict)
    recalled: float | None = None
    stored: StoredMemories = field(default_factory=StoredMemories)
    time_s: Mapping[str, PhaseTime] = field(default_factory=dict)
    cpu_s: Mapping[str, float | None] = field(default_factory=dict)
    peak_rss_bytes: int | None = None
    store_bytes: int | None = None
    late_calls: int = 0
    abandoned: AbandonedCost = field(default_factory=AbandonedCost)

    def to_json(self) -> JsonObject:
        """The cost part of a summary."""
        return {
            "usage": usage_to_json(self.usage),
            "ingested": {"turns": self.turns, "tokens": self.tokens},
            "context_tokens": plain_fields(self.context_tokens),
            **(
                {"context_cut": plain_fields(self.context_cut)}
                if self.context_cut.questions
                else {}
            ),
            **({"replies": dict(self.replies)} if self.replies else {}),
            "recalled": {"mean": self.recalled},
            **({"stored": plain_fields(self.stored)} if self.stored.cases else {}),
            "time_s": {phase: plain_fields(time) for phase, time in self.time_s.items()},
            "cpu_s": dict(self.cpu_s),
            "peak_rss_bytes": self.peak_rss_bytes,
            "store_bytes": self.store_bytes,
            "late_calls": self.late_calls,
            "abandoned": self.abandoned.to_json(),
        }

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back from a summary."""
        context = known_fields(ContextTokens, stored["context_tokens"])
        times = stored["time_s"].items()
        return cls(
            usage=usage_from_json(stored["usage"]),
            turns=stored["ingested"]["turns"],
            tokens=stored["ingested"]["tokens"],
            context_tokens=ContextTokens(**context),
            context_cut=ContextCut(**known_fields(ContextCut, stored.get("context_cut") or {})),
            replies=dict(stored.get("replies") or {}),
            recalled=stored["recalled"]["mean"],
            stored=StoredMemories.from_json(stored.get("stored")),
            time_s={phase: PhaseTime(**known_fields(PhaseTime, entry)) for phase, entry in times},
            cpu_s=dict(stored["cpu_s"]),
            peak_rss_bytes=stored.get("peak_rss_bytes"),
            store_bytes=stored.get("store_bytes"),
            late_calls=stored.get("late_calls", 0),
            abandoned=AbandonedCost.from_json(stored.get("abandoned") or {}),
        )


def usage_to_json(usage: Mapping[str, PhaseUsage]) -> JsonObject:
    """Usage by phase."""
    return {phase: part.to_json() for phase, part in usage.items()}


def usage_from_json(stored: JsonView | None) -> dict[str, PhaseUsage]:
    """Read it back."""
    return {phase: PhaseUsage.from_json(part) for phase, part in (stored or {}).items()}
