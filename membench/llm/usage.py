"""What a model call came to, and how such figures add up.

Every figure keeps where it came from: `provider` when the endpoint stated its usage, `tokenizer`
when we counted it ourselves, `mixed` for a sum of both. Dollars are None as soon as one call of a
sum has no known price: null is not zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

COUNTED = "tokenizer"
STATED = "provider"
MIXED = "mixed"


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
        source: `provider`, `tokenizer` or `mixed`; None without calls.
        usd: Dollars by the price map; None if a price is unknown.
        latency_s: Seconds the callers waited, summed.
        retries: Attempts beyond the first.
        failed: Calls that ended in a fault; their cost is unknown and not in the sums.
        late: Calls that arrived, or ended, after their phase was closed.
        replayed: Calls answered from the cassette; their tokens and dollars are the recorded ones.
        cpu_s: CPU seconds of models hosted by the gateway itself.
    """

    calls: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    completion_tokens: int = 0
    reasoning_tokens: int = 0
    embedding_tokens: int = 0
    source: str | None = None
    usd: float | None = 0.0
    latency_s: float = 0.0
    retries: int = 0
    failed: int = 0
    late: int = 0
    replayed: int = 0
    cpu_s: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        """Sum every figure; the weaker source and an unknown price win."""
        return Usage(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.cached_tokens + other.cached_tokens,
            self.completion_tokens + other.completion_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.embedding_tokens + other.embedding_tokens,
            joint_source(self.source, other.source),
            None if self.usd is None or other.usd is None else self.usd + other.usd,
            self.latency_s + other.latency_s,
            self.retries + other.retries,
            self.failed + other.failed,
            self.late + other.late,
            self.replayed + other.replayed,
            self.cpu_s + other.cpu_s,
        )

    @property
    def tokens(self) -> int:
        """Every token a provider would bill."""
        return self.prompt_tokens + self.completion_tokens + self.embedding_tokens

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for records and the cassette."""
        return {name: getattr(self, name) for name in self.__slots__}


def joint_source(left: str | None, right: str | None) -> str | None:
    """The source of a sum."""
    if left is None or right is None or left == right:
        return left or right
    return MIXED


def stated_usage(
    endpoint: str,
    usage: Mapping[str, Any] | None,
    count_input: Callable[[], int],
    count_output: Callable[[], int],
) -> Usage:
    """Read a reply's `usage` object; count with the tokenizer where it is absent or nonsense.

    Args:
        endpoint: `chat/completions`, `responses`, `embeddings` or `rerank`.
        usage: The reply's object, in the shape of its endpoint.
        count_input: Tokens of the request, computed only if needed.
        count_output: Tokens of the reply, computed only if needed.

    Returns:
        Usage of one call, without price and latency.
    """
    stated = usage if isinstance(usage, Mapping) else {}
    taken = _number(stated, "prompt_tokens", "input_tokens", "total_tokens")
    given = _number(stated, "completion_tokens", "output_tokens")
    if endpoint == "embeddings":
        return Usage(
            calls=1,
            embedding_tokens=count_input() if taken is None else taken,
            source=COUNTED if taken is None else STATED,
        )
    if endpoint == "rerank":
        return Usage(
            calls=1,
            prompt_tokens=count_input() if taken is None else taken,
            source=COUNTED if taken is None else STATED,
        )
    known = taken is not None and given is not None
    prompt = taken if taken is not None and known else count_input()
    completion = given if given is not None and known else count_output()
    cached = _detail(stated, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    reasoning = _detail(
        stated, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
    )
    return Usage(
        calls=1,
        prompt_tokens=prompt,
        cached_tokens=min(cached, prompt),
        completion_tokens=completion,
        reasoning_tokens=min(reasoning, completion),
        source=STATED if known else COUNTED,
    )


def _number(stated: Mapping[str, Any], *names: str) -> int | None:
    """The first of `names` that holds a count."""
    for name in names:
        value = stated.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _detail(stated: Mapping[str, Any], groups: tuple[str, ...], name: str) -> int:
    """A count inside one of the detail objects, 0 if there is none."""
    for group in groups:
        details = stated.get(group)
        if isinstance(details, Mapping):
            return _number(details, name) or 0
    return 0
