"""MAGMA's graph of events, and the beam that walks it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal, Self

from membench.domain.labels import Scalar

Kind = Literal["temporal", "semantic", "causal", "entity"]
Intent = Literal["why", "when", "entity"]

PREFERENCE: Mapping[Intent, Mapping[Kind, float]] = {
    "why": {"causal": 0.7, "temporal": 0.2, "semantic": 0.05, "entity": 0.05},
    "when": {"temporal": 0.7, "semantic": 0.1, "causal": 0.1, "entity": 0.1},
    "entity": {"entity": 0.6, "semantic": 0.3, "temporal": 0.05, "causal": 0.05},
}
"""How much an edge is worth to a question (FredJiang0324/MAGMA memory/query_engine.py)."""


@dataclass(frozen=True)
class Walk:
    """How the beam goes.

    Attributes:
        width: Nodes that are followed at a step.
        budget: Nodes reached in all, the anchors included.
        decay: What a node passes on of its score.
        edge, likeness: Weights of an edge's kind and of the likeness to the question.
    """

    width: int
    budget: int
    decay: float
    edge: float
    likeness: float

    @classmethod
    def of(cls, given: Mapping[str, Scalar]) -> Self:
        """As the parameters say."""
        return cls(
            int(given["beam"]),
            int(given["budget"]),
            float(given["decay"]),
            float(given["edge_weight"]),
            float(given["likeness_weight"]),
        )


@dataclass
class Graph:
    """Edges both ways between ids; entities are named, and join all events that name them."""

    edges: dict[str, dict[str, set[Kind]]] = field(default_factory=dict)
    named: dict[str, list[str]] = field(default_factory=dict)
    names: dict[str, list[str]] = field(default_factory=dict)

    def link(self, one: str, other: str, kind: Kind) -> None:
        """An edge between two events; none from one to itself."""
        if one != other:
            for here, there in ((one, other), (other, one)):
                self.edges.setdefault(here, {}).setdefault(there, set()).add(kind)

    def name(self, event: str, entity: str) -> None:
        """An event names an entity."""
        if event not in self.named.setdefault(entity, []):
            self.named[entity].append(event)
            self.names.setdefault(event, []).append(entity)

    def beside(self, event: str) -> Iterator[tuple[str, Kind]]:
        """Events one edge away, with the kind of the edge."""
        for other, kinds in self.edges.get(event, {}).items():
            for kind in sorted(kinds):
                yield other, kind
        for entity in self.names.get(event, []):
            yield from ((other, "entity") for other in self.named[entity] if other != event)

    def around(self, event: str, hops: int, most: int) -> list[str]:
        """Events within so many edges, the nearest first."""
        seen = {event: None}
        front = [event]
        for _ in range(hops):
            front = [o for here in front for o, _ in self.beside(here) if o not in seen]
            seen |= dict.fromkeys(front)
        return [other for other in seen if other != event][:most]

    def walk(
        self, anchors: Mapping[str, float], alike: Mapping[str, float], intent: Intent, how: Walk
    ) -> dict[str, float]:
        """Scores of the events that a beam reaches from the anchors, in the order reached.

        s(v) = decay * s(u) + exp(edge * preference + likeness * alike(v)).
        """
        reached = dict(anchors)
        front = list(anchors)[: how.width]
        while front and len(reached) < how.budget:
            found: dict[str, float] = {}
            for here in front:
                for other, kind in self.beside(here):
                    if other not in reached:
                        worth = how.edge * PREFERENCE[intent][kind]
                        worth += how.likeness * alike.get(other, 0.0)
                        score = how.decay * reached[here] + math.exp(worth)
                        found[other] = max(found.get(other, 0.0), score)
            front = sorted(found, key=lambda name: -found[name])[: how.width]
            front = front[: how.budget - len(reached)]
            reached |= {name: found[name] for name in front}
        return reached
