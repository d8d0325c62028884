"""Drives a memory system with two requests, Add and Search, as the Agent Memory Leaderboard does.

The contract is the API guide of its second cycle (https://agentmemoryleaderboard.ai/api-guide):
batches of messages in, ranked memories out, a user per case. What the guide leaves open is in
docs/http-adapter.md.
"""

from __future__ import annotations

import http.client
import os
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Literal, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from membench.adapters.parts.budget import cut
from membench.adapters.parts.http import Connection, HttpReply
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.errors import Reason, SystemFault, UsageError
from membench.domain.labels import JsonObject
from membench.domain.system import Memory, Query, SystemContext
from membench.domain.wrong_values import first_wrong

KEY_VARIABLE = "MEMORY_SYSTEM_KEY"
"""Environment variable of the key, where the server wants one."""
MESSAGES, WORDS = 20, 2000
"""A batch ends before it has more than so many of either."""
TOP_K = 100
"""Memories of a search without k: the board's own number."""
RETRIED = {
    "add": frozenset({408, 409, 425, 429, 500, 502, 503, 504, 524}),
    "search": frozenset({408, 425, 429, 500, 502, 503, 504}),
}
"""Statuses after which a request is sent again, the same."""
RETRIES = 4
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 60.0
Operation = Literal["add", "search"]


class _Added(BaseModel):
    """Reply of Add; the names must be those of the request."""

    model_config = ConfigDict(extra="ignore", strict=True)

    success: Literal[True]
    request_id: str
    user_id: str
    session_id: str


class _Found(BaseModel):
    """A memory."""

    model_config = ConfigDict(extra="ignore", strict=True)

    id: str = Field(min_length=1)
    content: str = Field(min_length=1)
    score: float | None = None
    created_at: str | None = None


class _Searched(BaseModel):
    """Reply of Search."""

    model_config = ConfigDict(extra="ignore", strict=True)

    data: list[_Found]


class AddSearchMemory:
    """A memory system on the other side of Add and Search.

    A recalled text that is one of those sent names its turn and its time; one that the server
    wrote itself names none, and has the time the server gives where that is the dataset's.
    """

    def __init__(self, context: SystemContext) -> None:
        """Nothing is called yet.

        Raises:
            UsageError: The server wants a key and there is none, or the URL is none.
        """
        given = context.parameters
        self.key = _key(str(given["auth"]))
        headers = _authorization(str(given["auth"]), self.key)
        self.connection = Connection(str(given["url"]), float(given["timeout_s"]), headers)
        self.paths: dict[Operation, str] = {
            "add": str(given["add_path"]),
            "search": str(given["search_path"]),
        }
        self.count_tokens = context.count_tokens

    def reset(self, case: CaseInfo) -> None:
        """Choose a user that no other case has, and see that nothing is known of it.

        Raises:
            SystemFault: It does not answer as agreed, or mixes users.
        """
        self.user = f"membench:{case.id}:{uuid.uuid4().hex}"
        self.batches = 0
        self.sent: dict[str, Memory] = {}
        self.latest: datetime | None = None
        if self._search("Is anything known?", 1):
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, "search: a new user has memories")

    def ingest(self, session: Session) -> None:
        """Send a session in batches; what the server makes of them it does not say."""
        for batch in batches(session):
            self._add(session, batch)

    def remember(self, item: Item) -> None:
        """Send an item as a session of one message."""
        turn = Turn(item.id, "user", "user", item.text, item.text, item.time)
        self.ingest(Session(item.id, 0, (turn,), item.time))

    def finalize(self) -> None:
        """An added message can be found when Add has replied: there is nothing to wait for."""

    def recall(self, query: Query) -> Sequence[Memory]:
        """Search, and hold the reply to the token budget."""
        if not query.text.strip():
            return []
        found = [self._memory(one) for one in self._search(query.text, query.k or TOP_K)]
        return cut(found, query, self.count_tokens)

    def close(self) -> None:
        """Close the connection; the contract has no way to delete a user."""
        self.connection.close()

    def _add(self, session: Session, batch: list[Turn]) -> None:
        names = {
            "request_id": f"{self.user}:{self.batches}",
            "user_id": self.user,
            "session_id": f"{self.user}:{session.id}",
        }
        self.batches += 1
        body = {**names, "messages": [self._message(turn, session) for turn in batch]}
        added = _parsed(_Added, "add", self._post("add", body))
        for name, value in names.items():
            if getattr(added, name) != value:
                raise SystemFault(Reason.SYSTEM_BAD_REPLY, f"add: {name} is not the request's")

    def _message(self, turn: Turn, session: Session) -> JsonObject:
        told = turn.time or session.time
        self.sent.setdefault(turn.text, Memory(turn.text, (turn.id,), told))
        message: JsonObject = {"role": _role(turn), "content": turn.text}
        if told is not None:
            self.latest = max(told, self.latest or told)
            message["timestamp"] = int(told.replace(tzinfo=UTC).timestamp() * 1000)
        return message

    def _search(self, text: str, top_k: int) -> list[_Found]:
        body = {"query": text, "user_id": self.user, "top_k": top_k}
        data = _parsed(_Searched, "search", self._post("search", body)).data
        if len(data) > top_k:
            detail = f"search: {len(data)} memories where top_k is {top_k}"
            raise SystemFault(Reason.SYSTEM_BAD_REPLY, detail)
        return data

    def _memory(self, found: _Found) -> Memory:
        known = self.sent.get(found.content)
        time = known.time if known else self._time(found.created_at)
        sources = known.sources if known else ()
        return Memory(found.content, sources, time, found.score, found.id)

    def _time(self, text: str | None) -> datetime | None:
        """The server's time of a memory; one after everything sent is the wall clock's."""
        try:
            time = datetime.fromisoformat(text or "")
        except ValueError:
            return None
        if time.tzinfo is not None:
            time = time.astimezone(UTC).replace(tzinfo=None)
        return time if self.latest is not None and time <= self.latest else None

    def _post(self, operation: Operation, body: JsonObject) -> bytes:
        """The content of the reply, asked for again while the server is not ready.

        Raises:
            SystemFault: No connection, no reply in time, or a status that is not a success.
        """
        content = orjson.dumps(body)
        for attempt in range(RETRIES):
            reply = self._sent(operation, content)
            if reply is not None and reply.status not in RETRIED[operation]:
                break
            time.sleep(pause(reply.headers.get("Retry-After") if reply else None, attempt))
        else:
            reply = self._sent(operation, content, last=True)
        assert reply is not None, "the last try replies or raises"
        if reply.status != 200:
            raise _refusal(operation, reply, self.key)
        return reply.body

    def _sent(
        self, operation: Operation, content: bytes, *, last: bool = False
    ) -> HttpReply | None:
        """The reply; None for none, if there may be another try."""
        try:
            return self.connection.post(self.paths[operation], content)
        except (OSError, http.client.HTTPException) as error:
            if not last:
                return None
            timed_out = isinstance(error, TimeoutError)
            reason = Reason.SYSTEM_TIMEOUT if timed_out else Reason.SYSTEM_CRASH
            detail = f"{operation}: {type(error).__name__}: {error}"
            raise SystemFault(reason, detail) from error


def batches(session: Session) -> Iterator[list[Turn]]:
    """A session's turns that have words, in batches; a turn is never cut."""
    batch: list[Turn] = []
    words = 0
    for turn in session.turns:
        size = len(turn.text.split())
        if batch and size and (len(batch) == MESSAGES or words + size > WORDS):
            yield batch
            batch, words = [], 0
        if size:
            batch.append(turn)
            words += size
    if batch:
        yield batch


def pause(header: str | None, attempt: int) -> float:
    """Seconds until the next try: what `Retry-After` says, else twice as long each time."""
    try:
        return min(LONGEST_PAUSE_S, max(0.0, float(header or "")))
    except ValueError:
        return float(min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2**attempt))


T = TypeVar("T", bound=BaseModel)


def _parsed(model: type[T], operation: str, reply: bytes) -> T:
    try:
        return model.model_validate_json(reply)
    except ValidationError as error:
        detail = f"{operation}: {first_wrong(error, model)}"
        raise SystemFault(Reason.SYSTEM_BAD_REPLY, detail) from error


def _refusal(operation: str, reply: HttpReply, key: str) -> SystemFault:
    """What a status that is no success means."""
    said = reply.excerpt().replace(key, "[key]") if key else reply.excerpt()
    if reply.status == 202:
        said = f"{said}; a memory must be found when Add replies, and 202 says that it cannot yet"
        return SystemFault(Reason.SYSTEM_BAD_REPLY, f"{operation}: {said}")
    limited = reply.status == 429
    reason = Reason.PROVIDER_RATE_LIMIT if limited else Reason.SYSTEM_ERROR
    return SystemFault(reason, f"{operation}: {said}")


def _role(turn: Turn) -> str:
    return "assistant" if turn.role == "assistant" else "user"


def _key(auth: str) -> str:
    key = os.environ.get(KEY_VARIABLE, "")
    if auth != "none" and not key:
        raise UsageError(
            f"--set auth={auth}: the server's key is taken from {KEY_VARIABLE}, which is not set",
            f"export {KEY_VARIABLE}=...",
        )
    return key if auth != "none" else ""


def _authorization(auth: str, key: str) -> dict[str, str]:
    if auth == "x-api-key":
        return {"X-Api-Key": key}
    return {} if auth == "none" else {"Authorization": f"{auth.capitalize()} {key}"}
