"""Which chains of reasoning agree: what a model is asked, and clusters without one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from membench.adapters.parts.embedder import Vectors
from membench.adapters.parts.extractors import Line
from membench.adapters.parts.structured import Form

CHAIN = "In one sentence, say what this memory leads one to answer, by entities and relations."
JUDGE = (
    "Numbered chains of reasoning about one question. Name the numbers of those that do not agree "
    "with the others; none if all agree."
)


class Chain(Form):
    """What a memory leads to."""

    chain: Line


class Odd(Form):
    """Numbers of chains."""

    inconsistent: Annotated[list[int], Field(max_length=50)]


def clusters(vectors: Vectors, eps: float) -> list[set[int]]:
    """Groups of at least two rows, each within a cosine distance of `eps` of another of its group.

    With two neighbours enough for a core point, the clusters of DBSCAN are these.
    """
    near = 1.0 - vectors @ vectors.T <= eps
    groups: list[set[int]] = []
    left = set(range(len(vectors)))
    while left:
        reached: set[int] = set()
        front: Sequence[int] = [min(left)]
        while front:
            reached |= set(front)
            front = [row for row in left - reached if near[row, front].any()]
        left -= reached
        groups += [reached] if len(reached) > 1 else []
    return groups
