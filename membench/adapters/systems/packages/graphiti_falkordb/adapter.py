"""Graphiti in FalkorDB, a Redis with a graph module, which is started for each case."""

from __future__ import annotations

from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.system import SystemContext

from ..graphiti.graph import GROUP, Graph  # noqa: TID252
from .server import FalkorServer


class System(Graph):
    """A server per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.cross_encoder.client
        import graphiti_core.driver.falkordb_driver

        super().__init__(context)
        self._new_driver = graphiti_core.driver.falkordb_driver.FalkorDriver
        self._server = FalkorServer(context.workdir)

    def reset(self, case: CaseInfo) -> None:
        """Start an empty server and open its graph."""
        self._loop.run(self._server.start())
        super().reset(case)

    def close(self) -> None:
        """Close the connection and stop the server."""
        super().close()
        self._server.stop()

    def store_bytes(self) -> int:
        """Size of the server's snapshot."""
        return self._loop.run(self._server.snapshot_bytes())

    async def _driver(self) -> Any:
        driver = self._new_driver(falkor_db=self._server.client, database=GROUP)
        await driver.build_indices_and_constraints()
        return driver
