"""The worker: imports the adapter and answers calls, one JSON line each way."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from membench.adapters.environment.worker import messages
from membench.adapters.environment.worker.entry import load_entry
from membench.adapters.environment.worker.isolation import Sandbox, SeededIds
from membench.adapters.environment.worker.messages import Json
from membench.adapters.environment.worker.processes import ResourceUse, folder_bytes
from membench.adapters.environment.worker.raised import described, is_ours
from membench.adapters.environment.worker.wire import decoded, encoded
from membench.domain.labels import JsonView
from membench.domain.system import SystemContext

READ_BYTES = 1 << 16
CHANGES_STORE = frozenset({"reset", "ingest", "remember", "finalize", "feedback", "restore"})


def serve(channel: socket.socket, worker: Worker) -> None:
    """Answer calls until the lane hangs up."""
    # A file of the descriptor reads in C; `socket.makefile` calls Python for every line.
    with open(channel.fileno(), "rb", READ_BYTES, closefd=False) as lines:
        for line in lines:
            channel.sendall(worker.answer(line))


class Worker:
    """Holds the system and turns requests into calls."""

    def __init__(
        self, folder: Path, package: str, ids: SeededIds, sandbox: Sandbox, use: ResourceUse
    ) -> None:
        """No adapter yet: the first request opens one."""
        self._folder = folder
        self._package = package
        self._ids = ids
        self._sandbox = sandbox
        self._use = use
        self._seed = 0
        self._system: Any = None
        self._store_bytes: int | None = None

    def answer(self, line: bytes) -> bytes:
        """One request to one reply, both a line."""
        request = decoded(line)
        try:
            reply: Json = {"ok": True, "result": self._do(request["op"], request["args"])}
        except MemoryError as error:
            reply = {"ok": False, "reason": "system_memory", "error": described(error)}
        except Exception as error:
            reply = {"ok": False, "reason": _reason(error), "error": described(error)}
            sys.excepthook(*sys.exc_info())
        reply.update(id=request["id"], resources=self._resources(request["op"]))
        return encoded(reply)

    def _do(self, op: str, args: JsonView) -> Any:
        if op == "open":
            return self._open(args)
        if op == "sandbox_violations":
            return {
                "refused": sorted(self._sandbox.refused),
                "outside": sorted(self._sandbox.outside),
            }
        if op == "reset":
            self._ids.seed(self._seed, args["case"]["id"])
        return OPERATIONS[op](self._system, args)

    def _open(self, args: JsonView) -> None:
        """Import the adapter and construct the system."""
        models = messages.models_from_json(args["models"])
        self._sandbox.allow(_ports(endpoint.base_url for endpoint in models.values()))
        self._seed = int(args["seed"])
        self._ids.seed(self._seed, "")
        store = self._folder / "store"
        context = SystemContext(args["parameters"], self._seed, store, count_tokens, models)
        self._system = load_entry(self._package, args["entry"])(context)

    def _resources(self, op: str) -> Json:
        if op in CHANGES_STORE and self._system is not None:
            self._store_bytes = self._size_of_store()
        used = self._use.take()
        return {
            "cpu_s": round(used.cpu_s, 6),
            "rss_bytes": used.rss_bytes,
            "store_bytes": self._store_bytes,
        }

    def _size_of_store(self) -> int | None:
        """Bytes; None where the system cannot tell, which fails no event."""
        own = getattr(self._system, "store_bytes", None)
        try:
            return folder_bytes(self._folder / "store") if own is None else int(own())
        except Exception:
            sys.excepthook(*sys.exc_info())
            return None


def _ports(urls: Any) -> list[int]:
    return [port for url in urls if (port := urlsplit(url).port) is not None]


def _reason(error: Exception) -> str:
    """`system_bad_reply` if our own encoding refused it, or what a fault of ours says."""
    if is_ours(error):
        return str(error.reason)  # type: ignore[attr-defined]
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    inside = frame is not None and frame.tb_frame.f_code.co_filename == messages.__file__
    return "system_bad_reply" if inside else "system_error"


def count_tokens(text: str) -> int:
    """Tokens by `o200k_base`, for adapters whose lock has tiktoken."""
    import tiktoken  # type: ignore[import-not-found,unused-ignore]

    return len(tiktoken.get_encoding("o200k_base").encode_ordinary(text))


def _ingest(system: Any, args: JsonView) -> Any:
    changes = system.ingest(messages.session_from_json(args["session"]))
    return messages.changes_to_json(changes)


def _remember(system: Any, args: JsonView) -> Any:
    return messages.changes_to_json(system.remember(messages.item_from_json(args["item"])))


def _feedback(system: Any, args: JsonView) -> Any:
    return messages.changes_to_json(system.feedback(messages.feedback_from_json(args["feedback"])))


def _recall(system: Any, args: JsonView) -> Any:
    return messages.memories_to_json(system.recall(messages.query_from_json(args["query"])))


def _answer(system: Any, args: JsonView) -> Any:
    return messages.answer_to_json(system.answer(messages.query_from_json(args["query"])))


OPERATIONS: Mapping[str, Callable[[Any, JsonView], Any]] = {
    "reset": lambda system, args: system.reset(messages.case_from_json(args["case"])),
    "ingest": _ingest,
    "remember": _remember,
    "finalize": lambda system, args: messages.changes_to_json(system.finalize()),
    "recall": _recall,
    "answer": _answer,
    "memories": lambda system, args: messages.memories_to_json(system.memories()),
    "memory_count": lambda system, args: len(system.memories()),
    "feedback": _feedback,
    "snapshot": lambda system, args: system.snapshot(Path(args["folder"])),
    "restore": lambda system, args: system.restore(Path(args["folder"])),
    "reply_counts": lambda system, args: system.reply_counts().to_json(),
    "store_bytes": lambda system, args: int(system.store_bytes()),
    "close": lambda system, args: system.close(),
}
"""What a lane may ask for."""
