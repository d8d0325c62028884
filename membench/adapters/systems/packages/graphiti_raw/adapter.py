"""Graphiti without a model over Kuzu, a database in a file."""

from __future__ import annotations

import warnings
from typing import Any

from membench.domain.system import SystemContext

from .episodes import RawEpisodes


class System(RawEpisodes):
    """One database file per case, which closes with the process."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.driver.kuzu_driver

        super().__init__(context)
        self._kuzu = graphiti_core.driver.kuzu_driver.KuzuDriver

    async def _new_driver(self) -> Any:
        """With the word indices that a new file lacks (getzep/graphiti issue 1258)."""
        from graphiti_core.driver.driver import GraphProvider
        from graphiti_core.graph_queries import get_fulltext_indices

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            driver = self._kuzu(str(self._context.workdir / "graph.kuzu"))
        for statement in get_fulltext_indices(GraphProvider.KUZU):
            await driver.execute_query(statement)
        return driver
