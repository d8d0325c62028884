"""A-MEM by the package a-mem: a note per turn, linked to its neighbours and rewriting them.

The package swallows failed model calls and goes on without keywords or links; the gateway has
seen them, so the harness records the event as failed all the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.models import Vector, embedded
from membench.adapters.environment.worker.texts import spoken, time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, ModelEndpoint, Query, SystemContext

TIME = "%Y%m%d%H%M"
UNDATED = "unknown"
"""Of a turn without a date; without a word the package takes today's."""


class System:
    """One `AgenticMemorySystem` with a Chroma folder of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        from agentic_memory import memory_system, retrievers

        self._context = context
        # The package makes its own embedder from the name of a model and takes none.
        embedder = _embedding_function(context.models[Role.EMBEDDER])
        retrievers.SentenceTransformerEmbeddingFunction = lambda model_name: embedder
        self._new_system = memory_system.AgenticMemorySystem
        self._system: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty store."""
        model = self._context.models[Role.MEMORY]
        os.environ["OPENAI_BASE_URL"] = model.base_url
        self._sources: dict[str, str] = {}
        self._system = self._new_system(
            llm_backend="openai",
            llm_model=model.model,
            api_key=model.api_key,
            storage_path=str(self._context.workdir / "chroma"),
        )

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Add a note per turn; its neighbours may get other tags and another context."""
        before = self.memories()
        for turn in session.turns:
            if turn.content.strip():
                time = time_of(turn, session)
                stamp = time.strftime(TIME) if time else UNDATED
                note = self._system.add_note(spoken(turn), time=stamp)
                self._sources[note] = turn.id
        return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """The nearest notes."""
        stored = len(self._sources)
        if not query.text.strip() or not stored:
            return []
        found = self._system.search_agentic(query.text, min(query.k or stored, stored))
        scores = {hit["id"]: _score(hit) for hit in found}
        return self._read(list(scores), scores)

    def memories(self) -> list[Memory]:
        """Every note, in the order of the history."""
        return self._read(list(self._sources), {})

    def close(self) -> None:
        """Nothing is open: Chroma writes at once."""

    def _read(self, names: Sequence[str], scores: Mapping[str, float | None]) -> list[Memory]:
        notes = self._system.read_multiple(list(names))
        return [
            Memory(
                _words(notes[name]),
                (self._sources[name],),
                _time(str(notes[name].timestamp)),
                scores.get(name),
                name,
            )
            for name in names
        ]


def _words(note: Any) -> str:
    """A note as the package words it where it shows notes to a model."""
    return (
        f"talk start time:{note.timestamp}\tmemory content: {note.content}\t"
        f"memory context: {note.context}\tmemory keywords: {note.keywords}\t"
        f"memory tags: {note.tags}"
    )


def _score(hit: Any) -> float | None:
    """The package's score is a distance; a linked note has none."""
    return -float(hit["score"]) if "score" in hit else None


def _time(text: str) -> datetime | None:
    return None if text == UNDATED else datetime.strptime(text, TIME)


def _embedding_function(embedder: ModelEndpoint) -> Any:
    """Chroma's interface over the run's embedder."""
    from chromadb import EmbeddingFunction

    class RunEmbeddings(EmbeddingFunction):  # type: ignore[misc]
        def __init__(self) -> None:
            pass

        def __call__(self, input: list[str]) -> list[Vector]:  # noqa: A002
            return embedded(embedder, input)

    return RunEmbeddings()
