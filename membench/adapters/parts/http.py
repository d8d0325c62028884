"""One kept HTTP connection on which requests follow each other."""

from __future__ import annotations

import http.client
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from urllib.parse import urlsplit

from membench.domain.errors import UsageError

_KINDS = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}


@dataclass(frozen=True)
class HttpReply:
    """What came back.

    Attributes:
        status: HTTP status.
        body: The whole content.
        headers: By name, in any case.
    """

    status: int
    body: bytes
    headers: Message

    @property
    def ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300

    def excerpt(self) -> str:
        """Status and the first characters, for an error message."""
        return f"status {self.status}: {self.body[:300].decode(errors='replace')}"


class Connection:
    """Posts JSON to paths below a base URL. Nothing is retried but a kept connection found closed.

    Args:
        base_url: For instance `http://127.0.0.1:8000/v1`.
        timeout_s: For each wait on the socket.
        headers: Sent with every request.

    Raises:
        UsageError: Not an http(s) URL.
    """

    def __init__(
        self, base_url: str, timeout_s: float, headers: Mapping[str, str] | None = None
    ) -> None:
        """Nothing is opened yet."""
        url = urlsplit(base_url)
        if url.scheme not in _KINDS or not url.hostname:
            raise UsageError(f"'{base_url}' is not a URL", "Give one like http://127.0.0.1:8000.")
        self.kind, self.place, self.path = _KINDS[url.scheme], url.netloc, url.path.rstrip("/")
        self.timeout_s = timeout_s
        self.headers = {"Content-Type": "application/json", **(headers or {})}
        self._open: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> HttpReply:
        """Post, and read the whole reply, whatever its status.

        Raises:
            TimeoutError: No reply in time.
            OSError: No connection.
            http.client.HTTPException: Not HTTP.
        """
        kept = self._open is not None
        try:
            return self._send(path, body)
        except (ConnectionError, http.client.BadStatusLine):
            self.close()
            if not kept:
                raise
            return self._send(path, body)
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def connect(self) -> None:
        """Open the connection, if it is not.

        Raises:
            OSError: No connection.
        """
        if self._open is None:
            self._open = self.kind(self.place, timeout=self.timeout_s)
            self._open.connect()

    def close(self) -> None:
        """Close the connection; the next request opens another."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def _send(self, path: str, body: bytes) -> HttpReply:
        if self._open is None:
            self._open = self.kind(self.place, timeout=self.timeout_s)
        self._open.request("POST", self.path + path, body, self.headers)
        response = self._open.getresponse()
        return HttpReply(response.status, response.read(), response.headers)
