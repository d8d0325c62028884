"""mem0: facts extracted from each session by one model call, recalled by vector similarity.

One `add` per session. The package takes no date: it writes today's into its prompt and its store,
so `add` runs while the process' clock shows the session's date.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import spoken
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

EVERYTHING = 100_000
KINDS: dict[str, Literal["add", "update", "delete"]] = {
    "ADD": "add",
    "UPDATE": "update",
    "DELETE": "delete",
}


class System:
    """One `mem0.Memory` per case, with an embedded Qdrant."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import mem0

        self._new = mem0.Memory.from_config
        self._context = context
        self._memory: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty store."""
        self._case = case.id
        self._sessions: dict[str, Session] = {}
        self._places: dict[str, int] = {}
        self._said: dict[str, tuple[str, ...]] = {}
        self._now = UNDATED
        with dataset_clock(self._now):
            self._memory = self._new(self._config())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Extract facts from a session, on the session's date."""
        messages = [
            {"role": turn.role, "content": spoken(turn)} for turn in session.turns if turn.content
        ]
        if not messages:
            return []
        self._now = session.time or self._now
        # The package keeps its last messages by time alone: of one date, it would keep the oldest.
        now = self._now + timedelta(microseconds=len(self._sessions))
        self._sessions[session.id] = session
        for turn in session.turns:
            self._said[spoken(turn)] = (*self._said.get(spoken(turn), ()), turn.id)
        with dataset_clock(now, stands_still=True):
            reply = self._memory.add(messages, user_id=self._case, metadata={"session": session.id})
        for result in reply["results"]:
            self._places.setdefault(result["id"], len(self._places))
        return [self._change(result, session) for result in reply["results"]]

    def recall(self, query: Query) -> list[Memory]:
        """The most similar facts."""
        if not query.text.strip():
            return []
        with dataset_clock(query.now or self._now):
            reply = self._memory.search(
                query.text,
                filters={"user_id": self._case},
                top_k=query.k or EVERYTHING,
                threshold=float(self._context.parameters["threshold"]),
            )
        return [self._memory_of(result) for result in reply["results"]]

    def memories(self) -> list[Memory]:
        """Every fact, oldest first; one that `add` did not report comes last."""
        with dataset_clock(self._now):
            reply = self._memory.get_all(filters={"user_id": self._case}, top_k=EVERYTHING)
        last = len(self._places)
        found = sorted(reply["results"], key=lambda result: self._places.get(result["id"], last))
        return [self._memory_of(result) for result in found]

    def close(self) -> None:
        """Close the databases."""
        if self._memory is not None:
            self._memory.close()
            self._memory.vector_store.client.close()

    def _change(self, result: JsonObject, session: Session) -> MemoryChange:
        memory = self._memory_of({**result, "metadata": {"session": session.id}})
        return MemoryChange(KINDS[result["event"]], memory)

    def _memory_of(self, result: JsonObject) -> Memory:
        """A fact; its sources are all turns of the session whose `add` stored it.

        The package shows its model the last messages of earlier sessions as well: what a model
        copies from there is of the turns that said it.
        """
        session = self._sessions[result["metadata"]["session"]]
        turns = tuple(turn.id for turn in session.turns)
        said = self._said.get(result["memory"], turns)
        return Memory(
            result["memory"],
            said if set(turns).isdisjoint(said) else turns,
            session.time,
            result.get("score"),
            result["id"],
        )

    def _config(self) -> JsonObject:
        """Everything that is not mem0's default."""
        model, embedder = (self._context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
        store = self._context.workdir
        return {
            "llm": {
                "provider": "openai",
                "config": {
                    "model": model.model,
                    "openai_base_url": model.base_url,
                    "api_key": model.api_key,
                    "max_tokens": self._context.parameters["max_tokens"],
                },
            },
            "embedder": {
                "provider": "openai",
                "config": {
                    "model": embedder.model,
                    "openai_base_url": embedder.base_url,
                    "api_key": embedder.api_key,
                },
            },
            "vector_store": {
                "provider": "qdrant",
                "config": {
                    "collection_name": "memories",
                    "path": str(store / "qdrant"),
                    "embedding_model_dims": width_of(embedder),
                    "on_disk": True,
                },
            },
            "history_db_path": str(store / "history.db"),
        }
