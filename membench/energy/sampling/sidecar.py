"""`membench energy serve`: the sidecar, counters of this machine over HTTP.

Two pages: `/channels` describes the counters, `/read` reads them. It listens on loopback unless
told otherwise; off loopback a token is required, because energy readings can leak what a machine
computes.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Sequence
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock
from typing import Any

import orjson

from membench.domain.clock import Clock
from membench.domain.errors import UsageError
from membench.energy.samples import Channel
from membench.energy.sources.base import EnergySource

PORT = 4939
TOKEN = "MEMBENCH_ENERGY_TOKEN"
"""Environment variable with the bearer token, here and where the run is."""


class SidecarServer(ThreadingHTTPServer):
    """Serves the counters of some sources until it is shut down.

    Args:
        sources: Sources that are not open yet.
        host: Address to listen on.
        port: Port to listen on; 0 for any free one.
        token: Bearer token that callers must show; empty for none.

    Raises:
        UsageError: An address off loopback without a token, or one that is taken.
        SourceUnavailable: A source has nothing to read.
    """

    daemon_threads = True

    def __init__(
        self,
        sources: Sequence[EnergySource],
        host: str = "127.0.0.1",
        port: int = PORT,
        token: str = "",
    ) -> None:
        """Open the sources and bind the port."""
        if not token and not _is_loopback(host):
            raise UsageError(
                f"--host {host}: off loopback the sidecar needs a token",
                f"Set {TOKEN} here and where the run is.",
            )
        clock = Clock.start().now
        self._sources = tuple(sources)
        self._token = token
        self._lock = Lock()
        self._channels: list[Channel] = []
        with ExitStack() as self._opened:
            for source in self._sources:
                self._channels += source.open(clock)
                self._opened.callback(source.close)
            try:
                super().__init__((host, port), _Handler)
            except OSError as error:
                raise UsageError(f"cannot listen on {host}:{port}: {error.strerror}") from error
            self._opened = self._opened.pop_all()

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self.server_address[1])

    def allows(self, header: str | None) -> bool:
        """Whether a caller showed the token."""
        if not self._token:
            return True
        shown = (header or "").encode(errors="surrogatepass")
        return hmac.compare_digest(shown, f"Bearer {self._token}".encode())

    def page(self, path: str) -> Any:
        """The content of a page; None if there is no such page.

        Raises:
            OSError, RuntimeError: A source could not be read.
            ValueError: It gave more readings than it has channels, or fewer.
        """
        if path == "/channels":
            return [channel.to_json() for channel in self._channels]
        if path == "/read":
            with self._lock:
                readings = [reading for source in self._sources for reading in source.read()]
            return [
                {"id": channel.id, "t": r.t, "joules": r.joules, "watts": r.watts}
                for channel, r in zip(self._channels, readings, strict=True)
            ]
        return None

    def server_close(self) -> None:
        """Stop listening and release the sources."""
        super().server_close()
        self._opened.close()


def one_line(error: Exception) -> str:
    """What went wrong, as the one line in ASCII that the head of a reply has room for."""
    return " ".join(str(error).split()).encode("ascii", "backslashreplace").decode()


class _Handler(BaseHTTPRequestHandler):
    server: SidecarServer

    def do_GET(self) -> None:
        """Answer with JSON."""
        if not self.server.allows(self.headers.get("Authorization")):
            self.send_error(401)
            return
        try:
            content = self.server.page(self.path)
        except (OSError, RuntimeError, ValueError) as error:
            self.send_error(503, one_line(error))
            return
        if content is None:
            self.send_error(404)
            return
        body = orjson.dumps(content)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Ten requests a second are not news."""


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
