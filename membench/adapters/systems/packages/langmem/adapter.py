"""LangMem: a memory manager that writes memories by tool calls, recalled by vector similarity.

One invocation per session. The package takes no date, so each message begins with it. The store is
LangGraph's in-memory store.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import dated, spoken, time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, ModelEndpoint, Query, SystemContext

EVERYTHING = 100_000
BYTES_PER_NUMBER = 8


class System:
    """One store manager and one in-memory store per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import langgraph.store.memory
        import langmem

        self._new_store = langgraph.store.memory.InMemoryStore
        self._new_manager = langmem.create_memory_store_manager
        self._context = context
        self._loop = asyncio.Runner()

    def reset(self, case: CaseInfo) -> None:
        """Start with an empty store."""
        embedder = self._context.models[Role.EMBEDDER]
        self._width = width_of(embedder)
        self._namespace = ("memories", case.id)
        self._config = {"configurable": {"langgraph_user_id": case.id}}
        self._store = self._new_store(index={"dims": self._width, "embed": _embeddings(embedder)})
        self._now = UNDATED
        self._dated = False
        self._manager = self._new_manager(
            _chat(self._context.models[Role.MEMORY], self._context.parameters),
            namespace=("memories", "{langgraph_user_id}"),
            store=self._store,
            query_limit=int(self._context.parameters["query_limit"]),
        )

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Let the manager read a session and change the store."""
        messages = [
            {"role": turn.role, "content": dated(spoken(turn), time_of(turn, session))}
            for turn in session.turns
            if turn.content
        ]
        if not messages:
            return []
        self._now, self._dated = session.time or self._now, session.time is not None
        before = self.memories()
        with dataset_clock(self._now, stands_still=True):
            self._loop.run(self._manager.ainvoke({"messages": messages}, config=self._config))
        return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """The most similar memories."""
        if not query.text.strip():
            return []
        found = self._found(query=query.text, limit=query.k or EVERYTHING)
        return [self._memory(item) for item in found]

    def memories(self) -> list[Memory]:
        """Every memory by its session and id: those of a session are stored at once."""
        items = self._found(limit=EVERYTHING)
        items.sort(key=lambda item: (item.created_at, item.key))
        return [self._memory(item) for item in items]

    def store_bytes(self) -> int:
        """Texts and vectors; the store has no file."""
        return sum(
            len(memory.text.encode()) + self._width * BYTES_PER_NUMBER for memory in self.memories()
        )

    def close(self) -> None:
        """End the event loop."""
        self._loop.close()

    def _found(self, **arguments: Any) -> list[Any]:
        return self._loop.run(self._store.asearch(self._namespace, **arguments))

    def _memory(self, item: Any) -> Memory:
        """A stored item; the manager keeps a memory's words under `content`, twice."""
        content = item.value.get("content", item.value)
        inner = content.get("content", content) if isinstance(content, dict) else content
        text = inner if isinstance(inner, str) else json.dumps(inner, ensure_ascii=False)
        time = item.created_at.replace(microsecond=0) if self._dated else None
        return Memory(text, time=time, score=getattr(item, "score", None), id=item.key)


def _chat(model: ModelEndpoint, parameters: Any) -> Any:
    from langchain_openai import ChatOpenAI

    return ChatOpenAI(
        base_url=model.base_url,
        api_key=model.api_key,
        model=model.model,
        temperature=float(parameters["temperature"]),
        max_retries=0,
    )


def _embeddings(model: ModelEndpoint) -> Any:
    from langchain_openai import OpenAIEmbeddings

    return OpenAIEmbeddings(
        base_url=model.base_url,
        api_key=model.api_key,
        model=model.model,
        check_embedding_ctx_length=False,
        max_retries=0,
    )
