"""Graphiti in FalkorDB, a Redis with a graph module, which is started for each case."""

from __future__ import annotations

from membench.domain.system import SystemContext

from ..graphiti.graph import Graph  # noqa: TID252
from .server import OnFalkorDB


class System(OnFalkorDB, Graph):
    """A server per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import what the search needs, too."""
        import graphiti_core.cross_encoder.client  # noqa: F401

        super().__init__(context)
