"""The protocols of the services: Mem0 Platform, Zep Cloud, Supermemory.

Recorded from mem0ai 2.2.1, zep-cloud 4.0.1 and supermemory 5.0.1 and the vendors' references of
November 2026; not from the live services. To check an adapter's conformance without a key:

    python tests/adapters/hosted/loopback_protocols.py zep 8001
    ZEP_API_KEY=secret-of-the-tests membench conformance zep \\
      --set base_url=http://127.0.0.1:8001/api/v4 --write
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass, field
from typing import Any

from loopback_service import KEY, Reply, Service, serving

WALL_CLOCK = "2026-11-29T12:00:00Z"
"""When the services believe to be: no memory of a run may carry it."""


class Mem0Platform(Service):
    """`/v3/memories/`: queued adds with an event, search and pages by filters."""

    authorization = f"Token {KEY}"

    def ping(self, body: Any) -> Reply:
        return 200, {"status": "ok", "org_id": "o", "project_id": "p", "user_email": None}

    def add(self, body: Any) -> Reply:
        if not body.get("user_id") or not body.get("messages"):
            return 400, {"detail": "user_id and messages are required"}
        for message in body["messages"]:
            line = {"id": self.name("uuid"), "text": message["content"]}
            line |= {"metadata": body.get("metadata"), "timestamp": body.get("timestamp")}
            self.stored.setdefault(body["user_id"], []).append(line)
        event = self.name("uuid")
        return 200, {"message": "queued", "status": "PENDING", "event_id": event}

    def event(self, name: str, body: Any) -> Reply:
        done = self.is_done(name)
        status = ("FAILED" if self.fails else "SUCCEEDED") if done else "RUNNING"
        return 200, {"id": name, "event_type": "ADD", "status": status, "results": []}

    def search(self, body: Any) -> Reply:
        owner = body["filters"]["user_id"]
        found = self.ranked(owner, body["query"], body.get("top_k", 10))
        return 200, {"results": [self.shown(line) | {"score": score} for score, line in found]}

    def page(self, body: Any) -> Reply:
        lines = self.stored.get(body["filters"]["user_id"], [])
        size, number = int(body["page_size"]), int(body["page"])
        part = lines[(number - 1) * size : number * size]
        more = f"?page={number + 1}" if number * size < len(lines) else None
        results = [self.shown(line) for line in part]
        return 200, {"count": len(lines), "next": more, "previous": None, "results": results}

    def delete_memories(self, body: Any) -> Reply:
        self.stored[body["user_id"]] = []
        return 200, {"message": "Memories deleted successfully!"}

    def delete_user(self, name: str, body: Any) -> Reply:
        self.stored.pop(name)
        return 200, {"message": "Entity deleted successfully!"}

    def shown(self, line: dict[str, Any]) -> dict[str, Any]:
        stamped = {"created_at": WALL_CLOCK, "updated_at": WALL_CLOCK, "categories": []}
        return {"id": line["id"], "memory": line["text"], "metadata": line["metadata"], **stamped}

    routes = (
        ("GET", "/v1/ping/", ping),
        ("POST", "/v3/memories/add/", add),
        ("GET", "/v1/event/([^/]+)/", event),
        ("POST", "/v3/memories/search/", search),
        ("POST", "/v3/memories/", page),
        ("DELETE", "/v1/memories/", delete_memories),
        ("DELETE", "/v2/entities/user/([^/]+)/", delete_user),
    )


@dataclass
class ZepCloud(Service):
    """`/api/v4`: users, threads of messages, tasks, episodes, edges."""

    authorization = f"Api-Key {KEY}"
    threads: dict[str, str] = field(default_factory=dict)

    def make_user(self, body: Any) -> Reply:
        name = self.name("uuid")
        self.stored[name] = []
        return 201, {"uuid": name, "user_id": body["user_id"], "graph_uuid": name}

    def make_thread(self, body: Any) -> Reply:
        name = self.name("uuid")
        self.threads[name] = body["user_uuid"]
        return 201, {"uuid": name, "user_uuid": body["user_uuid"]}

    def add(self, thread: str, body: Any) -> Reply:
        if len(body["messages"]) > 30:
            return 400, {"message": "too many messages"}
        for message in body["messages"]:
            line = {
                "id": self.name("uuid"),
                "text": f"{message['name']} said: {message['content']}",
            }
            line |= {
                "thread": thread,
                **{k: message.get(k) for k in ("metadata", "reference_time")},
            }
            self.stored[self.threads[thread]].append(line)
        return 202, {"messages": [], "task": {"uuid": self.name("uuid"), "status": "pending"}}

    def task(self, name: str, body: Any) -> Reply:
        done = self.is_done(name)
        status = ("failed" if self.fails else "succeeded") if done else "processing"
        return 200, {"uuid": name, "status": status, "type": "add_messages"}

    def episodes(self, thread: str, body: Any) -> Reply:
        lines = [line for line in self.stored[self.threads[thread]] if line["thread"] == thread]
        start = int(body.get("cursor") or 0)
        items = [
            {"uuid": line["id"], "content": line["text"], "metadata": line["metadata"]}
            for line in lines[start : start + 20]
        ]
        more = {"next_cursor": str(start + 20)} if start + 20 < len(lines) else {}
        return 200, {"items": items, **more}

    def search(self, graph: str, body: Any) -> Reply:
        found = self.ranked(graph, body["query"], int(body["page_size"]))
        items = [
            {
                "uuid": line["id"],
                "fact": line["text"],
                "score": score,
                "valid_at": line["reference_time"],
                "created_at": WALL_CLOCK,
                "episode_uuids": [line["id"]],
            }
            for score, line in found
        ]
        return 200, {"items": items}

    def delete_user(self, name: str, body: Any) -> Reply:
        self.stored.pop(name)
        return 202, {"task": {"uuid": self.name("uuid"), "status": "pending"}}

    routes = (
        ("POST", "/api/v4/users", make_user),
        ("POST", "/api/v4/threads", make_thread),
        ("POST", "/api/v4/threads/([^/]+)/messages", add),
        ("GET", "/api/v4/tasks/([^/]+)", task),
        ("GET", "/api/v4/threads/([^/]+)/episodes", episodes),
        ("POST", "/api/v4/graphs/([^/]+)/search/edges", search),
        ("DELETE", "/api/v4/users/([^/]+)", delete_user),
    )


class Supermemory(Service):
    """`/ns/{namespace}`: documents that are queued, search over what was made of them."""

    def namespaces(self, body: Any) -> Reply:
        pages = {"currentPage": 1, "limit": 1, "totalItems": 0, "totalPages": 0}
        return 200, {"namespaces": [], "pagination": pages}

    def add(self, namespace: str, body: Any) -> Reply:
        document = self.name("doc_")
        for text in body["content"].splitlines():
            line = {"id": self.name("mem_"), "text": text, "metadata": body.get("metadata") or {}}
            self.stored.setdefault(namespace, []).append(line | {"date": body.get("date")})
        return 202, {"id": document, "status": "queued"}

    def document(self, namespace: str, name: str, body: Any) -> Reply:
        done = self.is_done(name)
        status = ("failed" if self.fails else "done") if done else "embedding"
        times = {"createdAt": WALL_CLOCK, "updatedAt": WALL_CLOCK}
        system = {"status": status, "dreamingStatus": "done" if done else "dreaming", **times}
        return 200, {"id": name, "type": "text", "metadata": {}, "system": system}

    def search(self, namespace: str, body: Any) -> Reply:
        found = self.ranked(namespace, body["query"], body["limit"])
        results = [
            {
                "id": line["id"],
                ("memory", "chunk")[place % 2]: line["text"],
                "metadata": line["metadata"],
                "similarity": score,
                "isLatest": True,
                "isInference": False,
                "system": {"updatedAt": WALL_CLOCK, "createdAt": WALL_CLOCK},
            }
            for place, (score, line) in enumerate(found)
        ]
        return 200, {"results": results, "searchTime": 1.0}

    def delete(self, namespace: str, body: Any) -> Reply:
        if namespace not in self.stored:
            return 404, {"error": "there is no such namespace"}
        gone = len(self.stored.pop(namespace))
        counts = {"deletedDocumentsCount": 1, "deletedMemoriesCount": gone}
        return 200, {"status": "deleted", "namespace": namespace, **counts}

    routes = (
        ("GET", "/ns", namespaces),
        ("POST", "/ns/([^/]+)/document", add),
        ("GET", "/ns/([^/]+)/document/([^/]+)", document),
        ("POST", "/ns/([^/]+)/search", search),
        ("DELETE", "/ns/([^/]+)", delete),
    )


SERVICES: dict[str, tuple[type[Service], str]] = {
    "mem0-platform": (Mem0Platform, ""),
    "zep": (ZepCloud, "/api/v4"),
    "supermemory": (Supermemory, ""),
}
"""By system: what answers its client, and the path of its `base_url`."""


def main(name: str, port: str) -> None:
    """Serve a protocol until interrupted."""
    kind, path = SERVICES[name]
    with serving(kind(polls=0), int(port)) as url:
        sys.stdout.write(f"{name}: --set base_url={url}{path}, key {KEY}\n")
        sys.stdout.flush()
        threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
