"""A memory system behind HTTP in one file of the standard library: the smallest that conforms.

    python http_memory_server.py 8000
    membench run --system http --set url=http://127.0.0.1:8000 --task locomo --split sample

It ranks turns by the words they share with the question. Replace `remember` and `search`.
"""

import json
import re
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

stores: dict[str, list[dict]] = {}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def remember(namespace: str, session: dict) -> list[dict]:
    # Most benchmarks date the session and not each turn: without `or`, no memory has a date.
    memories = [
        {"text": turn["text"], "sources": [turn["id"]], "time": turn["time"] or session["time"]}
        for turn in session["turns"]
    ]
    stores[namespace].extend(memories)
    return [{"kind": "add", "memory": memory} for memory in memories]


def search(namespace: str, query: dict) -> list[dict]:
    asked = words(query["text"])
    ranked = sorted(stores[namespace], key=lambda memory: -len(asked & words(memory["text"])))
    return ranked[: query["k"]]


def handle(path: str, body: dict) -> dict | None:
    namespace = body["namespace"]
    if path == "/reset":
        stores[namespace] = []
        return {}
    if path == "/ingest":
        return {"changes": remember(namespace, body["session"])}
    if path == "/recall":
        return {"memories": search(namespace, body["query"])}
    if path == "/close":
        stores.pop(namespace, None)
        return {}
    return None


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        reply = handle(self.path, body)
        content = json.dumps(reply).encode()
        self.send_response(404 if reply is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
