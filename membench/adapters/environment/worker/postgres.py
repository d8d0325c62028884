"""A Postgres of a case's own, for packages that need one (and pg0 in their lock)."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path
from typing import Any

ATTEMPTS = 5


def started(name: str, folder: Path) -> Any:
    """A running `pg0.Pg0` on a free port of this machine; its `uri` says where.

    The package looks for a port upwards from a fixed one, so that two lanes take the same; the
    operating system's choice can still be taken before Postgres has it, hence the attempts.

    Args:
        name: User and database.
        folder: Where the data lie; it must not exist.

    Raises:
        pg0.Pg0Error: It does not start.
    """
    import pg0

    for attempt in range(ATTEMPTS):
        postgres = pg0.Pg0(
            name="case",
            port=free_port(),
            username=name,
            database=name,
            data_dir=str(folder),
            config={"unix_socket_directories": tempfile.gettempdir()},
        )
        try:
            postgres.start()
            return postgres
        except pg0.Pg0Error:
            if attempt == ATTEMPTS - 1:
                raise
    raise AssertionError("unreachable")


def free_port() -> int:
    """A port that nobody listens to at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
