"""A memory system with two requests, Add and Search, in one file of the standard library.

    python add_search_server.py 8000
    membench run --system http --set preset=add-search --set url=http://127.0.0.1:8000 \
      --task locomo --split sample

It ranks messages by the words they share with the question. Replace `add` and `search`.
"""

import json
import re
import sys
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

stores: dict[str, list[dict]] = {}


def words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def add(request: dict) -> dict:
    for message in request["messages"]:
        memory = {"id": f"mem_{sum(map(len, stores.values()))}", "content": message["content"]}
        if "timestamp" in message:
            told = datetime.fromtimestamp(message["timestamp"] / 1000, UTC)
            memory["created_at"] = told.isoformat().replace("+00:00", "Z")
        stores.setdefault(request["user_id"], []).append(memory)
    names = ("request_id", "user_id", "session_id")
    return {"success": True, **{name: request[name] for name in names}}


def search(request: dict) -> dict:
    asked = words(request["query"])
    known = stores.get(request["user_id"], [])
    ranked = sorted(known, key=lambda memory: -len(asked & words(memory["content"])))
    return {"data": ranked[: request["top_k"]]}


def handle(path: str, body: dict) -> tuple[int, dict]:
    served = {"/add": add, "/search": search}.get(path)
    return (404, {"detail": {"reason": "no such path"}}) if served is None else (200, served(body))


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, reply = handle(self.path, body)
        content = json.dumps(reply).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None: ...


if __name__ == "__main__":
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()
