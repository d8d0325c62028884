"""A loopback server that speaks a vendor's protocol: routes, keys, limits, work in the background.

The messages are those of the vendors' own clients (their request and response models) and of their
published reference. What a service does inside is not imitated: here, a fact is a stored line, and
a search counts shared words.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

KEY = "secret-of-the-tests"
Reply = tuple[int, Any]
Route = Callable[..., Reply]


@dataclass
class Service:
    """What a vendor's routes work on, and how it is told to misbehave.

    Attributes:
        requests: Method and path of everything that was answered.
        busy: How many requests are still refused with 429.
        retry_after: What those say; None for no header.
        polls: How often work in the background is asked for before it is done; None for never.
        fails: Whether that work fails.
        stored: Lines by user or namespace, in order.
    """

    requests: list[tuple[str, str]] = field(default_factory=list)
    busy: int = 0
    retry_after: str | None = "0"
    polls: int | None = 1
    fails: bool = False
    stored: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    made: int = 0

    authorization: ClassVar[str] = f"Bearer {KEY}"
    routes: ClassVar[tuple[tuple[str, str, Route], ...]] = ()

    def name(self, kind: str) -> str:
        """A new id."""
        self.made += 1
        return (
            f"00000000-0000-4000-8000-{self.made:012d}" if kind == "uuid" else f"{kind}{self.made}"
        )

    def is_done(self, work: str) -> bool:
        """Whether work in the background is done, asked once more."""
        self.asked[work] = self.asked.get(work, 0) + 1
        return self.polls is not None and self.asked[work] > self.polls

    def ranked(self, owner: str, query: str, most: int) -> list[tuple[float, dict[str, Any]]]:
        """Lines that share words with a query, most first."""
        words = set(re.findall(r"\w+", query.casefold()))
        scored = [
            (len(words & set(re.findall(r"\w+", line["text"].casefold()))) / len(words), line)
            for line in self.stored.get(owner, ())
        ]
        return sorted((pair for pair in scored if pair[0]), key=lambda pair: -pair[0])[:most]

    def answer(self, method: str, target: str, key: str | None, body: Any) -> Reply:
        """One request."""
        url = urlsplit(target)
        self.requests.append((method, url.path))
        if key != self.authorization:
            return 401, {"detail": f"the key '{key}' is not known"}
        if self.busy:
            self.busy -= 1
            return 429, {"detail": "too many requests"}
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        for verb, pattern, route in self.routes:
            found = re.fullmatch(pattern, url.path)
            if verb == method and found:
                return route(self, *map(unquote, found.groups()), body={**query, **(body or {})})
        return 404, {"detail": f"there is no {method} {url.path}"}


@contextmanager
def serving(service: Service, port: int = 0) -> Iterator[str]:
    """The address of a server with a service in it, on a free port unless one is named."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"null")
            key = self.headers.get("Authorization")
            status, content = service.answer(self.command, self.path, key, body)
            data = json.dumps(content).encode()
            self.send_response(status)
            if status == 429 and service.retry_after is not None:
                self.send_header("Retry-After", service.retry_after)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = do_DELETE = do_PUT = handle_any  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        disable_nagle_algorithm = True

    with Server(("127.0.0.1", port), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
