"""Graphiti in Kuzu, a database in a file."""

from __future__ import annotations

import warnings
from typing import Any

from membench.domain.system import SystemContext

from .graph import Graph


class System(Graph):
    """A database file per case, which closes with the process."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.cross_encoder.client
        import graphiti_core.driver.kuzu_driver  # noqa: F401

        super().__init__(context)

    async def _new_driver(self) -> Any:
        return await _kuzu(str(self._context.workdir / "graph.kuzu"))


async def _kuzu(path: str) -> Any:
    """A Kuzu driver that works: see README.md for each fix."""
    from graphiti_core.driver.driver import GraphProvider
    from graphiti_core.driver.kuzu_driver import KuzuDriver
    from graphiti_core.graph_queries import get_fulltext_indices

    class Driver(KuzuDriver):  # type: ignore[misc]
        _database = ""

        def clone(self, database: str) -> Any:
            return self

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        driver = Driver(path)
    for statement in get_fulltext_indices(GraphProvider.KUZU):
        await driver.execute_query(statement)
    return driver
