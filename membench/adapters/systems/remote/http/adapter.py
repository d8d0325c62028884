"""Drives a memory system that runs as a server of its own, in any language.

The interface is that of docs/openapi.yaml unless another `preset` is chosen: `/reset`, `/ingest`,
`/recall`, `/close`, and, if the server has them, `/remember` and `/finalize`. Every request names a
namespace; a case gets a new one, so that lanes and runs may share a server.
"""

from __future__ import annotations

import http.client
import uuid
from collections.abc import Sequence
from typing import TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from membench.adapters.parts.budget import cut
from membench.adapters.parts.http import Connection
from membench.adapters.systems.remote.http.add_search import AddSearchMemory
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.errors import Reason, SystemFault
from membench.domain.labels import JsonObject, JsonView
from membench.domain.system import Memory, MemoryChange, Query, SystemContext
from membench.domain.wrong_values import first_wrong

NOT_OFFERED = (404, 405, 501)
"""How a server says that it has no `/remember` or no `/finalize`."""

Changes = list[MemoryChange] | None


class _Stored(BaseModel):
    """Reply of `/ingest` and `/remember`."""

    model_config = ConfigDict(extra="ignore")

    changes: Changes = None


class _Recalled(BaseModel):
    """Reply of `/recall`."""

    model_config = ConfigDict(extra="ignore")

    memories: list[Memory]


def http_memory(context: SystemContext) -> HttpMemory | AddSearchMemory:
    """A memory system on the other side of the interface that `preset` names."""
    if context.parameters["preset"] == "add-search":
        return AddSearchMemory(context)
    return HttpMemory(context)


class HttpMemory:
    """A memory system on the other side of HTTP."""

    def __init__(self, context: SystemContext) -> None:
        """Nothing is called yet."""
        given = context.parameters
        self.url = str(given["url"])
        self.connection = Connection(self.url, float(given["timeout_s"]))
        self.count_tokens = context.count_tokens
        self.models = {
            role.value: {"base_url": model.base_url, "api_key": model.api_key, "model": model.model}
            for role, model in context.models.items()
        }
        self.namespace: str | None = None

    def reset(self, case: CaseInfo) -> None:
        """Leave the last namespace and start a new one."""
        self._leave()
        self.namespace = f"{case.id}-{uuid.uuid4().hex[:12]}"
        about = {"task": case.task, "speakers": case.speakers, "models": self.models}
        self._post("/reset", about)

    def ingest(self, session: Session) -> Changes:
        """Send a session."""
        return _parsed(_Stored, self._post("/ingest", {"session": _session(session)})).changes

    def remember(self, item: Item) -> Changes:
        """Send an item; to a server without `/remember`, as a session of one turn."""
        body = {"item": {"id": item.id, "text": item.text, "time": item.time}}
        reply = self._post("/remember", body, optional=True)
        return self.ingest(_as_session(item)) if reply is None else _parsed(_Stored, reply).changes

    def finalize(self) -> None:
        """Give time for sleep-time work, if the server does any."""
        self._post("/finalize", {}, optional=True)

    def recall(self, query: Query) -> Sequence[Memory]:
        """Ask, and hold the reply to k and the token budget."""
        asked = {
            "text": query.text,
            "k": query.k,
            "token_budget": query.token_budget,
            "now": query.now,
        }
        memories = _parsed(_Recalled, self._post("/recall", {"query": asked})).memories
        return cut((memory for memory in memories if memory.text), query, self.count_tokens)

    def close(self) -> None:
        """Leave the namespace and close the connection."""
        try:
            self._leave()
        finally:
            self.connection.close()

    def _leave(self) -> None:
        if self.namespace is not None:
            self._post("/close", {})
            self.namespace = None

    def _post(self, path: str, body: JsonView, *, optional: bool = False) -> bytes | None:
        """The content of the reply; None if the path is optional and not offered.

        Raises:
            SystemFault: No connection, no reply in time, or a status that is not a success.
        """
        content = orjson.dumps({"namespace": self.namespace, **body})
        try:
            reply = self.connection.post(path, content)
        except TimeoutError as error:
            raise SystemFault(Reason.SYSTEM_TIMEOUT, f"{path}: {error}") from error
        except (OSError, http.client.HTTPException) as error:
            detail = f"{self.url}{path}: {type(error).__name__}: {error}"
            raise SystemFault(Reason.SYSTEM_CRASH, detail) from error
        if optional and reply.status in NOT_OFFERED:
            return None
        if not reply.ok:
            raise SystemFault(Reason.SYSTEM_ERROR, f"{path}: {reply.excerpt()}")
        return reply.body


T = TypeVar("T", bound=BaseModel)


def _parsed(model: type[T], reply: bytes | None) -> T:
    try:
        return model.model_validate_json(reply or b"{}")
    except ValidationError as error:
        raise SystemFault(Reason.SYSTEM_BAD_REPLY, str(first_wrong(error, model))) from error


def _session(session: Session) -> JsonObject:
    return {
        "id": session.id,
        "index": session.index,
        "time": session.time,
        "end_time": session.end_time,
        "turns": [_turn(turn) for turn in session.turns],
    }


def _turn(turn: Turn) -> JsonObject:
    fields = ("id", "speaker", "role", "content", "text", "time")
    return {name: getattr(turn, name) for name in fields}


def _as_session(item: Item) -> Session:
    turn = Turn(item.id, "user", "user", item.text, item.text, item.time)
    return Session(item.id, 0, (turn,), item.time)
