"""Fitting a ranked list of memories into a number and a token budget."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from membench.domain.system import Memory, Query


def cut(
    ranked: Iterable[Memory],
    query: Query,
    count_tokens: Callable[[str], int],
    *,
    ignore_k: bool = False,
) -> list[Memory]:
    """The longest head of a ranking that keeps within `query.k` and `query.token_budget`.

    The list ends before the first memory that does not fit, so that no memory is preferred for
    being short. `ranked` is consumed no further than needed.
    """
    k = None if ignore_k else query.k
    kept: list[Memory] = []
    left = query.token_budget
    for memory in ranked:
        if k is not None and len(kept) >= k:
            break
        if left is not None:
            left -= count_tokens(memory.text)
            if left < 0:
                break
        kept.append(memory)
    return kept


def head(text: str, tokens: int, count_tokens: Callable[[str], int]) -> str:
    """The longest head of a text, to the character, that holds at most `tokens` tokens.

    A token is at least one byte, so that most texts need no counting.
    """
    if len(text.encode("utf-8", "surrogatepass")) <= tokens or count_tokens(text) <= tokens:
        return text
    fits, too_long = 0, len(text)
    while too_long - fits > 1:
        middle = (fits + too_long) // 2
        if count_tokens(text[:middle]) <= tokens:
            fits = middle
        else:
            too_long = middle
    return text[:fits]
