"""A GET over TCP or a Unix socket, with nothing but the standard library.

Sensors live on loopback or in the same rack, so proxies from the environment are not used.
"""

from __future__ import annotations

import http.client
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a sensor server listens.

    Attributes:
        host: Host name, or the path of a Unix socket.
        port: TCP port; None for a Unix socket.
        token: Bearer token; never shown.
    """

    host: str
    port: int | None
    token: str = ""

    @classmethod
    def parse(cls, url: str, default_port: int, token: str = "") -> Endpoint:
        """From `//host:port` or `///path/to.sock`.

        Raises:
            ValueError: It is neither.
        """
        parts = urlsplit(url, scheme="http")
        if parts.hostname:
            return cls(parts.hostname, parts.port or default_port, token)
        if parts.path.startswith("/"):
            return cls(parts.path, None, token)
        raise ValueError(f"'{url}' names neither a host nor a socket")

    def get(self, path: str) -> bytes:
        """The body of a successful answer.

        Raises:
            OSError: No answer, or an answer that is no success.
        """
        connection = self._connection()
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"no HTTP: {type(error).__name__}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"{path.partition('?')[0]} answered {answer.status}")
        return body

    def _connection(self) -> http.client.HTTPConnection:
        if self.port is None:
            return _UnixConnection(self.host)
        return http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_S)


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self._path)
