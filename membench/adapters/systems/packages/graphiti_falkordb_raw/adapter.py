"""Graphiti without a model over FalkorDB, a Redis with a graph module, started for each case."""

from __future__ import annotations

from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.system import SystemContext

from ..graphiti_falkordb.server import FalkorServer  # noqa: TID252
from ..graphiti_raw.episodes import GROUP, RawEpisodes  # noqa: TID252


class System(RawEpisodes):
    """A server per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.driver.falkordb_driver

        super().__init__(context)
        self._falkor = graphiti_core.driver.falkordb_driver.FalkorDriver
        self._server = FalkorServer(context.workdir)

    def reset(self, case: CaseInfo) -> None:
        """Start an empty server and open its graph."""
        self._loop.run(self._server.start())
        super().reset(case)

    def close(self) -> None:
        """Stop the server."""
        super().close()
        self._server.stop()

    def store_bytes(self) -> int:
        """Size of the server's snapshot."""
        return self._loop.run(self._server.snapshot_bytes())

    async def _new_driver(self) -> Any:
        driver = self._falkor(falkor_db=self._server.client, database=GROUP)
        await driver.build_indices_and_constraints()
        return driver
