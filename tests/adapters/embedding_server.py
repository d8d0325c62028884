"""A small embeddings endpoint on loopback: bags of hashed words, and faults on demand."""

from __future__ import annotations

import base64
import json
import re
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np


def bag(text: str, width: int = 64) -> np.ndarray[Any, np.dtype[np.float32]]:
    vector = np.zeros(width, np.float32)
    for word in re.findall(r"\w+", text.lower()):
        vector[zlib.crc32(word.encode()) % width] += 1
    return vector


class EmbeddingServer(ThreadingHTTPServer):
    """Counts connections and keeps requests; `next_reply` overrides one reply.

    Attributes:
        plain: Send numbers whatever encoding is asked for.
        hang_up: Close each connection after its reply, without announcing it.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.connections = 0
        self.plain = False
        self.hang_up = False
        self.reason = ""
        self.next_reply: tuple[int, bytes] | None = None

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"

    def reply(self, body: dict[str, Any]) -> tuple[int, bytes]:
        if self.next_reply is not None:
            reply, self.next_reply = self.next_reply, None
            return reply
        width = body.get("dimensions", 64)
        data = [
            {"index": index, "embedding": self._encoded(bag(text, width))}
            for index, text in enumerate(body["input"])
        ]
        return 200, json.dumps({"data": data[::-1]}).encode()

    def _encoded(self, vector: np.ndarray[Any, np.dtype[np.float32]]) -> Any:
        return vector.tolist() if self.plain else base64.b64encode(vector.tobytes()).decode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: EmbeddingServer

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append({"path": self.path, **body})
        self.server.keys.append(self.headers["Authorization"])
        status, reply = self.server.reply(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(reply)))
        self.send_header("X-Membench-Reason", self.server.reason)
        self.end_headers()
        self.wfile.write(reply)
        self.close_connection = self.server.hang_up

    def log_message(self, *_: object) -> None: ...


@contextmanager
def embedding_server() -> Iterator[EmbeddingServer]:
    with EmbeddingServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
