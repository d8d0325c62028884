"""SimpleMem: dialogue windows rewritten into self-contained entries; planned, reflective recall.

Ingest is cheap (one model call per window of 40 turns), recall is dear (up to six). The package
swallows failed model calls and goes on with nothing; the gateway has seen them, so the harness
records the event as failed all the same.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, ModelEndpoint, Query, SystemContext

EMBEDDINGS_PER_CALL = 100


class System:
    """One `SimpleMemSystem` with a LanceDB of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import simplemem.config
        import simplemem.system

        self._package = simplemem
        self._context = context
        self._system: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty store."""
        model, embedder = (self._context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
        width = width_of(embedder)
        parameters = self._context.parameters
        self._package.config.set_config(
            self._package.config.SimpleMemConfig(
                openai_api_key=model.api_key,
                openai_base_url=model.base_url,
                llm_model=model.model,
                embedding_model=embedder.model,
                embedding_dimension=width,
                lancedb_path=str(self._context.workdir / "lancedb"),
                window_size=int(parameters["window"]),
                use_streaming=False,
                enable_parallel_processing=False,
                enable_parallel_retrieval=bool(parameters["parallel_retrieval"]),
                max_reflection_rounds=int(parameters["reflection_rounds"]),
            )
        )
        # The only way in: the system makes its own embedder and takes none.
        self._package.system.EmbeddingModel = lambda: Embedder(embedder, width)
        self._system = self._package.system.SimpleMemSystem()

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Add the turns; with flush=session, also what fills no whole window."""
        before = {memory.id for memory in self.memories()}
        for turn in session.turns:
            if turn.content.strip():
                time = time_of(turn, session)
                self._system.add_dialogue(
                    turn.speaker, turn.content, time.isoformat() if time else None
                )
        if self._context.parameters["flush"] == "session":
            self._system.finalize()
        return [
            MemoryChange("add", memory) for memory in self.memories() if memory.id not in before
        ]

    def finalize(self) -> list[MemoryChange]:
        """Process the last, unfilled window."""
        before = {memory.id for memory in self.memories()}
        self._system.finalize()
        return [
            MemoryChange("add", memory) for memory in self.memories() if memory.id not in before
        ]

    def recall(self, query: Query) -> list[Memory]:
        """Entries in the order in which the planned searches found them."""
        if not query.text.strip() or self._system.vector_store.table.count_rows() == 0:
            return []
        entries = self._system.hybrid_retriever.retrieve(query.text)
        return [_memory(entry) for entry in entries][: query.k]

    def memories(self) -> list[Memory]:
        """Every entry, oldest first."""
        return [_memory(entry) for entry in self._system.get_all_memories()]

    def close(self) -> None:
        """Nothing is open: LanceDB writes at once."""


class Embedder:
    """The package's embedder interface over the run's embedder."""

    def __init__(self, embedder: ModelEndpoint, width: int) -> None:
        """Keep what is called and how wide it is."""
        self.dimension = width
        self._embedder = embedder

    def encode_documents(self, documents: list[str]) -> Any:
        """Vectors of entries, shape (number, width)."""
        import numpy

        return numpy.array(embedded(self._embedder, documents), dtype=numpy.float32)

    def encode_single(self, text: str, is_query: bool = False) -> Any:
        """The vector of one text, shape (width,)."""
        return self.encode_documents([text])[0]


def embedded(embedder: ModelEndpoint, texts: list[str]) -> list[list[float]]:
    """Vectors of texts, some at a time."""
    from openai import OpenAI

    client = OpenAI(base_url=embedder.base_url, api_key=embedder.api_key)
    vectors: list[list[float]] = []
    for start in range(0, len(texts), EMBEDDINGS_PER_CALL):
        part = texts[start : start + EMBEDDINGS_PER_CALL]
        reply = client.embeddings.create(model=embedder.model, input=part, encoding_format="float")
        vectors += [item.embedding for item in reply.data]
    return vectors


def _memory(entry: Any) -> Memory:
    """An entry; which turns it came from, the package does not keep."""
    return Memory(entry.lossless_restatement, time=_time(entry.timestamp), id=entry.entry_id)


def _time(text: str | None) -> datetime | None:
    """A time as the model wrote it, if it is one."""
    try:
        time = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
