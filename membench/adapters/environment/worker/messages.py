"""The words of the model as JSON, for both ends of a worker's socket.

A request is `{"id", "op", "args"}`; a reply is `{"id", "ok": true, "result", "resources"}` or
`{"id", "ok": false, "reason", "error", "resources"}`. Times are naive ISO strings in the
dataset's clock; a system that keeps aware ones has them turned to UTC here. The naive times of
memories are written by `wire`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from membench.domain.answer import Answer
from membench.domain.case import CaseInfo, Feedback, Item, Session, Turn
from membench.domain.labels import JsonObject, JsonView, Role
from membench.domain.system import Memory, MemoryChange, ModelEndpoint, Query

Json = JsonObject


def time_to_json(time: datetime | None) -> str | None:
    """A time as a naive ISO string."""
    if time is None:
        return None
    naive = time if time.tzinfo is None else time.astimezone(UTC).replace(tzinfo=None)
    return naive.isoformat()


def time_from_json(text: str | None) -> datetime | None:
    """The inverse of `time_to_json`."""
    return None if text is None else datetime.fromisoformat(text)


def case_to_json(case: CaseInfo) -> Json:
    """What `reset` is told."""
    return {"id": case.id, "task": case.task, "speakers": list(case.speakers)}


def case_from_json(value: JsonView) -> CaseInfo:
    """The inverse of `case_to_json`."""
    return CaseInfo(value["id"], value["task"], tuple(value["speakers"]))


def turn_to_json(turn: Turn) -> Json:
    """A turn."""
    return {
        "id": turn.id,
        "speaker": turn.speaker,
        "role": turn.role,
        "content": turn.content,
        "text": turn.text,
        "time": time_to_json(turn.time),
    }


def turn_from_json(value: JsonView) -> Turn:
    """The inverse of `turn_to_json`."""
    return Turn(**{**value, "time": time_from_json(value["time"])})


def session_to_json(session: Session) -> Json:
    """A session with its turns."""
    return {
        "id": session.id,
        "index": session.index,
        "turns": [turn_to_json(turn) for turn in session.turns],
        "time": time_to_json(session.time),
        "end_time": time_to_json(session.end_time),
    }


def session_from_json(value: JsonView) -> Session:
    """The inverse of `session_to_json`."""
    return Session(
        value["id"],
        value["index"],
        tuple(turn_from_json(turn) for turn in value["turns"]),
        time_from_json(value["time"]),
        time_from_json(value["end_time"]),
    )


def item_to_json(item: Item) -> Json:
    """An item."""
    return {"id": item.id, "text": item.text, "time": time_to_json(item.time)}


def item_from_json(value: JsonView) -> Item:
    """The inverse of `item_to_json`."""
    return Item(value["id"], value["text"], time_from_json(value["time"]))


def query_to_json(query: Query) -> Json:
    """A query."""
    return {
        "text": query.text,
        "k": query.k,
        "token_budget": query.token_budget,
        "now": time_to_json(query.now),
        "granted": None if query.granted is None else list(query.granted),
    }


def query_from_json(value: JsonView) -> Query:
    """The inverse of `query_to_json`."""
    granted = value["granted"]
    return Query(
        value["text"],
        value["k"],
        value["token_budget"],
        time_from_json(value["now"]),
        None if granted is None else tuple(granted),
    )


def feedback_to_json(feedback: Feedback) -> Json:
    """A feedback event."""
    return asdict(feedback)


def feedback_from_json(value: JsonView) -> Feedback:
    """The inverse of `feedback_to_json`."""
    return Feedback(**value)


def memory_to_json(memory: object) -> Json:
    """A memory, as an adapter returned it.

    Raises:
        TypeError: It is not a `Memory`, or a field is of another type than declared.
    """
    if not isinstance(memory, Memory) or not isinstance(memory.text, str):
        raise TypeError(f"{type(memory).__name__} is not a Memory with a text")
    time, score, memory_id = memory.time, memory.score, memory.id
    return {
        "text": memory.text,
        "sources": [*map(str, memory.sources)],
        "time": time if time is None or time.tzinfo is None else time_to_json(time),
        "score": None if score is None else float(score),
        "id": None if memory_id is None else str(memory_id),
    }


def memory_from_json(value: JsonView) -> Memory:
    """The inverse of `memory_to_json`."""
    return Memory(
        value["text"],
        tuple(value["sources"]),
        time_from_json(value["time"]),
        value["score"],
        value["id"],
    )


def memories_to_json(memories: Sequence[Memory]) -> list[Json]:
    """A ranking of memories."""
    return [memory_to_json(memory) for memory in memories]


def memories_from_json(values: Sequence[JsonView]) -> list[Memory]:
    """The inverse of `memories_to_json`."""
    return [memory_from_json(value) for value in values]


def changes_to_json(changes: Sequence[MemoryChange] | None) -> list[Json] | None:
    """What an ingest returned; None stays None (cannot tell)."""
    if changes is None:
        return None
    return [{"kind": c.kind, "memory": memory_to_json(c.memory)} for c in changes]


def changes_from_json(values: Sequence[JsonView] | None) -> list[MemoryChange] | None:
    """The inverse of `changes_to_json`."""
    if values is None:
        return None
    return [MemoryChange(value["kind"], memory_from_json(value["memory"])) for value in values]


def answer_to_json(answer: Answer) -> Json:
    """A system's own answer, which is free text."""
    return {"text": answer.text}


def answer_from_json(value: JsonView) -> Answer:
    """The inverse of `answer_to_json`."""
    return Answer(value["text"])


def models_to_json(models: Mapping[Role, ModelEndpoint]) -> Json:
    """Endpoints by role."""
    return {str(role): asdict(endpoint) for role, endpoint in models.items()}


def models_from_json(values: Mapping[str, JsonView]) -> dict[Role, ModelEndpoint]:
    """The inverse of `models_to_json`."""
    return {Role(role): ModelEndpoint(**value) for role, value in values.items()}
