"""Reading the usage that a provider states, and counting where it states none."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from membench.domain.labels import JsonView
from membench.records.usage import Usage

COUNTED = "tokenizer"
STATED = "provider"


def stated_usage(
    endpoint: str,
    usage: JsonView | None,
    count_input: Callable[[], int],
    count_output: Callable[[], int],
) -> Usage:
    """Read a reply's `usage` object; count with the tokenizer where it is absent or nonsense.

    No tokens for words is nonsense: some servers state zeros instead of nothing.

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
    taken = taken or None  # a request always holds something
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
            prompt_tokens=(read := count_input() if taken is None else taken),
            prompt_sq=read**2,
            source=COUNTED if taken is None else STATED,
        )
    known = taken is not None and given is not None and (given > 0 or count_output() == 0)
    prompt = taken if taken is not None and known else count_input()
    completion = given if given is not None and known else count_output()
    cached = _detail(stated, ("prompt_tokens_details", "input_tokens_details"), "cached_tokens")
    reasoning = _detail(
        stated, ("completion_tokens_details", "output_tokens_details"), "reasoning_tokens"
    )
    return Usage(
        calls=1,
        prompt_tokens=prompt,
        prompt_sq=prompt**2,
        cached_tokens=min(cached, prompt),
        completion_tokens=completion,
        reasoning_tokens=min(reasoning, completion),
        source=STATED if known else COUNTED,
    )


def _number(stated: JsonView, *names: str) -> int | None:
    """The first of `names` that holds a count."""
    for name in names:
        value = stated.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _detail(stated: JsonView, groups: tuple[str, ...], name: str) -> int:
    """A count inside one of the detail objects, 0 if there is none."""
    for group in groups:
        details = stated.get(group)
        if isinstance(details, Mapping):
            return _number(details, name) or 0
    return 0
