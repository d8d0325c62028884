"""MemOS of MemTensor, its general text memory: a session's memories by one model call, in Qdrant.

The package asks three times if a reply is no JSON; one without a list of memories is an error.
"""

from __future__ import annotations

from typing import Any

from membench.adapters.environment.worker.clock import dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import dated, spoken, time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

from .models import embedder, prepare_package, reading_model


class System:
    """One `GeneralTextMemory` over a Qdrant of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package, which writes logs below the folder it is told."""
        prepare_package(str(context.workdir))
        from memos.configs.memory import GeneralTextMemoryConfig
        from memos.memories.textual.general import GeneralTextMemory

        self._new_config, self._new_memory = GeneralTextMemoryConfig, GeneralTextMemory
        self._context = context
        self._memory: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty collection."""
        self._sessions: dict[str, Session] = {}
        self._memory = self._new_memory(self._new_config(**_configuration(self._context)))

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Extract memories from a session and store them."""
        messages = [
            {"role": turn.role, "content": dated(spoken(turn), time_of(turn, session))}
            for turn in session.turns
            if turn.content.strip()
        ]
        if not messages:
            return []
        with dataset_clock(session.time, stands_still=True):
            found = self._memory.extract(messages)
            if found:
                self._memory.add(found)
        self._sessions |= {item.id: session for item in found}
        return [MemoryChange("add", self._read(item)) for item in found]

    def recall(self, query: Query) -> list[Memory]:
        """The nearest memories."""
        stored = len(self._sessions)
        if not query.text.strip() or not stored:
            return []
        found = self._memory.search(query.text, min(query.k or stored, stored))
        return [self._read(item) for item in found]

    def memories(self) -> list[Memory]:
        """Every memory, in the order in which they were extracted."""
        stored = {item.id: item for item in self._memory.get_all()} if self._sessions else {}
        return [self._read(stored[name]) for name in self._sessions]

    def close(self) -> None:
        """Release the database's folder."""
        if self._memory is not None:
            self._memory.vector_db.client.close()

    def _read(self, item: Any) -> Memory:
        """A memory; its sources are all turns of the session it was extracted from."""
        session = self._sessions[item.id]
        sources = tuple(turn.id for turn in session.turns if turn.content.strip())
        return Memory(item.memory, sources, session.time, id=item.id)


def _configuration(context: SystemContext) -> JsonObject:
    """The package's own configuration; everything else is its default."""
    database = {
        "collection_name": "memories",
        "vector_dimension": width_of(context.models[Role.EMBEDDER]),
        "distance_metric": "cosine",
        "path": str(context.workdir / "qdrant"),
    }
    return {
        "extractor_llm": reading_model(context),
        "embedder": embedder(context),
        "vector_db": {"backend": "qdrant", "config": database},
    }
