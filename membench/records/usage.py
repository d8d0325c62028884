"""What model calls came to, and how such figures add up: the one class of usage.

Every figure keeps where it came from: `provider` when the endpoint stated its usage, `tokenizer`
when it was counted here, `mixed` for a sum of both. A figure that one call of a sum lacks is
unknown for the sum: null is not zero. Standard library alone, since lanes import it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Self, TypeVar

from membench.domain.labels import JsonObject, JsonView, Role

MIXED = "mixed"

UNKNOWN_BEFORE = ("usd", "latency_s", "cpu_s", "cut", "empty", "unparsable")
"""Figures that are unknown in sums which older versions recorded without them."""

Number = TypeVar("Number", int, float)


@dataclass(frozen=True, slots=True)
class Usage:
    """Usage of one call or a sum of calls; `Usage()` is the neutral element of `+`.

    Attributes:
        calls: Calls that were delivered, replayed ones included.
        prompt_tokens: Input tokens of chat, responses and rerank calls, cached ones included.
        cached_tokens: Those of them that the provider served from its prompt cache.
        completion_tokens: Output tokens, reasoning included.
        reasoning_tokens: Those of them that were reasoning.
        embedding_tokens: Input tokens of embedding calls.
        prompt_sq: Sum over calls of the squared prompt tokens, which attention costs; None in
            sums that were recorded without it.
        source: `provider`, `tokenizer` or `mixed`; None without calls.
        usd: Dollars by the price map; None if a price is unknown.
        latency_s: Seconds the callers waited, summed; None in sums recorded without it.
        retries: Attempts beyond the first.
        failed: Calls that ended in a fault; their cost is unknown and not in the sums.
        late: Calls that arrived, or ended, after their phase was closed.
        replayed: Calls answered from the cassette; their tokens and dollars are the recorded ones.
        cpu_s: CPU seconds of the models; None where the machine of one is not metered, and in
            sums recorded without.
        cut: Replies that ended at their output limit (`membench.llm.unusable`). This and the two
            below are None in sums recorded without.
        empty: Replies without a word or a tool call.
        unparsable: Replies without the JSON or the tool call that was asked for.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    embedding_tokens: int = 0
    prompt_sq: int | None = 0
    source: str | None = None
    usd: float | None = 0.0
    latency_s: float | None = 0.0
    retries: int = 0
    failed: int = 0
    late: int = 0
    replayed: int = 0
    cpu_s: float | None = 0.0
    cut: int | None = 0
    empty: int | None = 0
    unparsable: int | None = 0

    @property
    def unusable(self) -> int | None:
        """Replies that can be of no use to who asked; None in sums recorded without."""
        return known_sum(known_sum(self.cut, self.empty), self.unparsable)

    @property
    def asked(self) -> int:
        """Calls that were made, whatever became of them."""
        return self.calls + self.failed

    def __add__(self, other: Usage) -> Usage:
        """Sum every figure; the weaker source and an unknown figure win."""
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.embedding_tokens + other.embedding_tokens,
            known_sum(self.prompt_sq, other.prompt_sq),
            joint_source(self.source, other.source),
            known_sum(self.usd, other.usd),
            known_sum(self.latency_s, other.latency_s),
            self.retries + other.retries,
            self.failed + other.failed,
            self.late + other.late,
            self.replayed + other.replayed,
            known_sum(self.cpu_s, other.cpu_s),
            known_sum(self.cut, other.cut),
            known_sum(self.empty, other.empty),
            known_sum(self.unparsable, other.unparsable),
        )

    @property
    def tokens(self) -> int:
        """Every token a provider would bill."""
        return self.prompt_tokens + self.completion_tokens + self.embedding_tokens

    def to_json(self) -> dict[str, int | float | str | None]:
        """Plain values, for records, summaries and the cassette."""
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; keys of newer versions are ignored.

        Older versions did not write every figure. A missing count is none; a missing sum is
        unknown where there were calls, but the square of a single prompt follows from it.
        """
        known = {name: stored[name] for name in cls.__slots__ if name in stored}
        if len(known) == len(cls.__slots__):
            return cls(**known)
        calls = stored.get("calls", 0)
        if "prompt_sq" not in known:
            known["prompt_sq"] = stored.get("prompt_tokens", 0) ** 2 if calls <= 1 else None
        if calls or stored.get("failed", 0):
            known = dict.fromkeys(UNKNOWN_BEFORE) | known
        return cls(**known)


@dataclass(frozen=True, slots=True)
class PhaseUsage:
    """Usage of one phase of an event, or of a phase of a whole run.

    Attributes:
        total: Of all roles together.
        roles: By role (`membench.domain.labels.Role`).
        faults: Reasons of calls that failed, in order; sums do not keep them.
    """

    total: Usage = Usage()
    roles: Mapping[str, Usage] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    @classmethod
    def of(cls, roles: Mapping[Role, Usage], faults: Iterable[str] = ()) -> Self:
        """From the usage of each role."""
        by_role = {str(role): usage for role, usage in roles.items()}
        return cls(sum(by_role.values(), Usage()), by_role, tuple(map(str, faults)))

    def __add__(self, other: PhaseUsage) -> PhaseUsage:
        """Sum the totals and each role."""
        roles = dict(self.roles)
        for role, usage in other.roles.items():
            roles[role] = roles[role] + usage if role in roles else usage
        return PhaseUsage(self.total + other.total, roles)

    def __bool__(self) -> bool:
        """Whether any call was delivered or failed."""
        return bool(self.total.calls or self.faults)

    def to_json(self) -> JsonObject:
        """As in a record's telemetry: the figures of the total, `roles`, and `faults` if any."""
        entry: JsonObject = self.total.to_json()
        entry["roles"] = {role: usage.to_json() for role, usage in self.roles.items()}
        if self.faults:
            entry["faults"] = list(self.faults)
        return entry

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back; unlike the total, a role nobody named has no entry."""
        roles = {role: Usage.from_json(use) for role, use in (stored.get("roles") or {}).items()}
        return cls(Usage.from_json(stored), roles, tuple(stored.get("faults", ())))


@dataclass(frozen=True, slots=True)
class LateUsage:
    """Usage outside any open phase, charged to the phase that was open last.

    Attributes:
        usage: What was called.
        case: Opaque case id; None for calls before the first case.
        event: Index in the timeline; None outside any event.
        phase: None for calls before the first phase (start-up).
        abandoned: Whether the lane was killed in that phase: it is of no attempt that counts.
    """

    usage: PhaseUsage
    case: str | None = None
    event: int | None = None
    phase: str | None = None
    abandoned: bool = False

    def to_json(self) -> JsonObject:
        """As noted at the end of a case."""
        location = {"case": self.case, "event": self.event, "phase": self.phase}
        mark = {"abandoned": True} if self.abandoned else {}
        return {**self.usage.to_json(), **location, **mark}

    @classmethod
    def from_json(cls, stored: JsonView) -> Self:
        """Read it back."""
        usage = PhaseUsage.from_json(stored)
        return cls(
            usage,
            stored.get("case"),
            stored.get("event"),
            stored.get("phase"),
            bool(stored.get("abandoned")),
        )


def joint_source(left: str | None, right: str | None) -> str | None:
    """The source of a sum."""
    if left is None or right is None or left == right:
        return left or right
    return MIXED


def known_sum(one: Number | None, other: Number | None) -> Number | None:
    """A sum that is unknown when a part is."""
    return None if one is None or other is None else one + other
