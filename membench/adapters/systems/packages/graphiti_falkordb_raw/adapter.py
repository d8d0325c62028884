"""Graphiti without a model over FalkorDB, a Redis with a graph module, started for each case."""

from __future__ import annotations

from ..graphiti_falkordb.server import OnFalkorDB  # noqa: TID252
from ..graphiti_raw.episodes import RawEpisodes  # noqa: TID252


class System(OnFalkorDB, RawEpisodes):
    """A server per case."""
