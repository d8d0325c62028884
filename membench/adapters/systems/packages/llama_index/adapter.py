"""LlamaIndex: turns in the vector block of its memory, over a local Qdrant.

The block is driven as `Memory` drives it when messages leave its short-term queue, here a turn at a
time. It returns one joined text; a node postprocessor shows the nodes that it joins.
"""

from __future__ import annotations

import asyncio
import warnings
from typing import Any

from membench.adapters.environment.worker.models import Vector, embedded
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, ModelEndpoint, Query, SystemContext

NAME = "memories"


class System:
    """One `VectorMemoryBlock` per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        from llama_index.core.base.llms.types import ChatMessage
        from llama_index.core.memory import VectorMemoryBlock
        from llama_index.vector_stores.qdrant import QdrantVectorStore
        from qdrant_client import AsyncQdrantClient

        self._new_message, self._new_block = ChatMessage, VectorMemoryBlock
        self._new_store, self._new_client = QdrantVectorStore, AsyncQdrantClient
        self._context = context
        self._loop = asyncio.Runner()
        self._client: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty block."""
        self._told: dict[str, Memory] = {}
        self._client = self._new_client(path=str(self._context.workdir / "qdrant"))
        self._store = self._new_store(collection_name=NAME, aclient=self._client)
        self._joined: list[Any] = []
        self._block = self._new_block(
            vector_store=self._store,
            embed_model=_embeddings(self._context.models[Role.EMBEDDER]),
            retrieval_context_window=1,
            node_postprocessors=[_recorder(self._joined)],
        )

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Put every turn that has words, one message at a time."""
        before = len(self._told)
        for turn in session.turns:
            if turn.text.strip():
                self._told[turn.id] = Memory(turn.text, (turn.id,), time_of(turn, session))
                self._put(turn)
        return [MemoryChange("add", memory) for memory in list(self._told.values())[before:]]

    def recall(self, query: Query) -> list[Memory]:
        """The nodes that the block joins to its text, best first."""
        if not query.text.strip() or not self._told:
            return []
        self._block.similarity_top_k = min(query.k or len(self._told), len(self._told))
        question = self._new_message(role="user", content=query.text)
        self._loop.run(self._block.aget([question]))
        return [self._memory(found.node, found.score) for found in self._joined]

    def memories(self) -> list[Memory]:
        """Every node, in the order of the history."""
        nodes = self._loop.run(self._store.aget_nodes()) if self._told else []
        order = {turn: place for place, turn in enumerate(self._told)}
        nodes.sort(key=lambda node: order[node.metadata["session_id"]])
        return [self._memory(node) for node in nodes]

    def close(self) -> None:
        """Close the database and the event loop."""
        if self._client is not None:
            self._loop.run(self._client.close())
        self._loop.close()

    def _put(self, turn: Turn) -> None:
        # The block stores this one word beside a node, and nothing else of a message.
        kept = {"session_id": turn.id}
        message = self._new_message(role=turn.role, content=turn.text, additional_kwargs=kept)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # payload indexes do nothing locally
            self._loop.run(self._block.aput([message], from_short_term_memory=True))

    def _memory(self, node: Any, score: float | None = None) -> Memory:
        """A node without the tag that the block puts around a message."""
        turn = node.metadata["session_id"]
        text = node.text.partition(">")[2].removesuffix("</message>")
        return Memory(text, (turn,), self._told[turn].time, score, node.node_id)


def _recorder(joined: list[Any]) -> Any:
    """A postprocessor that changes nothing and leaves the nodes of the last retrieval in a list."""
    from llama_index.core.postprocessor.types import BaseNodePostprocessor

    class Recorder(BaseNodePostprocessor):  # type: ignore[misc]
        def _postprocess_nodes(self, nodes: list[Any], query_bundle: object = None) -> list[Any]:
            joined[:] = nodes
            return nodes

    return Recorder()


def _embeddings(embedder: ModelEndpoint) -> Any:
    """The run's embedder, one text a call, as the block asks."""
    from llama_index.core.embeddings import BaseEmbedding

    class RunEmbeddings(BaseEmbedding):  # type: ignore[misc]
        def _get_text_embedding(self, text: str) -> Vector:
            return embedded(embedder, [text])[0]

        def _get_query_embedding(self, query: str) -> Vector:
            return embedded(embedder, [query])[0]

        async def _aget_query_embedding(self, query: str) -> Vector:
            return self._get_query_embedding(query)

    return RunEmbeddings()
