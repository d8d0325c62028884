"""A server whose socket is a file already need not listen yet."""

import socket
from pathlib import Path

from membench.adapters.systems.packages.graphiti_falkordb.server import listens


def test_only_a_server_that_takes_connections_listens(tmp_path: Path) -> None:
    place = tmp_path / "server.sock"
    assert not listens(place)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(place))
        assert place.exists()
        assert not listens(place)
        server.listen()
        assert listens(place)
