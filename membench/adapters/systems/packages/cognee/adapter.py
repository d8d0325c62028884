"""Cognee: a knowledge graph and summaries made of each session, with vectors beside the graph.

A session is one text. The package extracts its graph and its summary by a model call each per
chunk; recall is the package's own hybrid search, less the answer.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import spoken, stamp
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

DATASET = "case"
CHUNK, ENTITY, SUMMARY = "DocumentChunk", "Entity", "TextSummary"
Node = tuple[Any, JsonObject]
"""Id and properties."""
Edge = tuple[Any, Any, str, JsonObject]
"""From, to, name of the relation, properties."""


class System:
    """One set of embedded databases (graph, vectors, SQLite) per case."""

    def __init__(self, context: SystemContext) -> None:
        """Configure the package by its variables and import it."""
        os.environ.update(_variables(context))
        import cognee
        from cognee.infrastructure.databases.graph import get_graph_engine
        from cognee.modules.migrations.startup import run_migrations
        from cognee.modules.retrieval.hybrid.entities import format_entities
        from cognee.modules.retrieval.hybrid_retriever import HybridRetriever

        _count_special_tokens_as_text()
        self._migrate = run_migrations
        self._cognee, self._graph_of, self._words = cognee, get_graph_engine, format_entities
        self._retriever = HybridRetriever(
            **{name: int(context.parameters[name]) for name in LANES}, max_edges_per_entity=10
        )
        self._loop = asyncio.Runner()

    def reset(self, case: CaseInfo) -> None:
        """Make the package's tables; the worker is new, and so are its folders."""
        self._sessions: list[Session] = []
        self._loop.run(self._migrate())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Store a session's text, and build its part of the graph."""
        lines = [spoken(turn) for turn in session.turns if turn.content.strip()]
        if not lines:
            return []
        before = self.memories()
        self._sessions.append(session)
        head = [f"Date: {stamp(session.time)}"] if session.time else []
        self._loop.run(self._cognify("\n".join([*head, *lines])))
        return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """Passages, entities with their relations, facts: in the package's order, cut to k."""
        if not query.text.strip() or not self._sessions:
            return []
        found = self._loop.run(self._retriever.get_retrieved_objects(query=query.text))
        passages = [self._passage(_payload(chunk)) for chunk in found["chunks"]]
        entities = [self._entity(entity) for entity in found["entities"]]
        facts = [Memory(fact["text"], id=str(fact["id"])) for fact in found["facts"]]
        return [*passages, *entities, *facts][: query.k]

    def memories(self) -> list[Memory]:
        """Chunks, their summaries, entities with descriptions, and relations."""
        if not self._sessions:
            return []
        nodes, edges = self._loop.run(self._graph())
        return [*self._nodes(nodes, edges), *_relations(nodes, edges)]

    def close(self) -> None:
        """End the event loop; the databases close with the process."""
        self._loop.close()

    async def _cognify(self, text: str) -> None:
        await self._cognee.add(text, dataset_name=DATASET)
        await self._cognee.cognify(datasets=[DATASET])

    async def _graph(self) -> Any:
        return await (await self._graph_of()).get_graph_data()

    def _passage(self, chunk: JsonObject) -> Memory:
        """A chunk; it names the turns that it holds."""
        text, name = str(chunk["text"]), str(chunk["id"])
        for session in self._sessions:
            sources = tuple(turn.id for turn in session.turns if spoken(turn) in text)
            if sources:
                return Memory(text, sources, session.time, id=name)
        return Memory(text, id=name)

    def _entity(self, entity: JsonObject) -> Memory:
        """An entity in the words in which the package shows it to a model."""
        words = self._words([entity]).partition("\n")[2]
        return Memory(words.removeprefix("### "), id=str(entity["id"]))

    def _nodes(self, nodes: Sequence[Node], edges: Sequence[Edge]) -> Iterable[Memory]:
        """Passages, summaries (of the same turns as what they were made from), entities."""
        kinds = {str(name): node for name, node in nodes}
        made_from = {str(edge[0]): str(edge[1]) for edge in edges if edge[2] == "made_from"}
        for name, node in kinds.items():
            if node.get("type") == CHUNK:
                yield self._passage({**node, "id": name})
            elif node.get("type") == SUMMARY:
                chunk = self._passage({**kinds[made_from[name]], "id": name})
                yield Memory(str(node["text"]), chunk.sources, chunk.time, id=name)
            elif node.get("type") == ENTITY:
                yield Memory(f"{node['name']}: {node.get('description') or ''}", id=name)


def _relations(nodes: Sequence[Node], edges: Sequence[Edge]) -> Iterable[Memory]:
    """Relations between entities; those to chunks and types say nothing of their own."""
    names = {str(name): node["name"] for name, node in nodes if node.get("type") == ENTITY}
    for source, target, relation, properties in edges:
        start, end = names.get(str(source)), names.get(str(target))
        if start is not None and end is not None:
            told = properties.get("edge_text") or f"{start} {relation} {end}"
            yield Memory(str(told), id=f"{source} {relation} {target}")


TOOL_CALL = "tool_call"
"""How the package asks for structured output where nothing is set."""
LANES = ("chunks_top_k", "entities_top_k", "facts_top_k")
"""What the hybrid search returns of each kind: parameters of ours and of the package."""


def _payload(result: Any) -> JsonObject:
    found: JsonObject = {**result.payload, "id": result.id}
    return found


def _variables(context: SystemContext) -> dict[str, str]:
    """The package's own configuration; everything else is its default."""
    model, embedder = (context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
    folder = context.workdir
    mode = str(context.parameters["instructor_mode"])
    places = {
        name: str(_made(folder / name.partition("_")[0].lower()))
        for name in ("SYSTEM_ROOT_DIRECTORY", "DATA_ROOT_DIRECTORY", "CACHE_ROOT_DIRECTORY")
    }
    return {
        **places,
        "LLM_PROVIDER": "openai",
        "LLM_MODEL": f"openai/{model.model}",
        "LLM_ENDPOINT": model.base_url,
        "LLM_API_KEY": model.api_key,
        "LLM_INSTRUCTOR_MODE": "" if mode == TOOL_CALL else mode,
        "EMBEDDING_PROVIDER": "openai_compatible",
        "EMBEDDING_MODEL": embedder.model,
        "EMBEDDING_ENDPOINT": embedder.base_url,
        "EMBEDDING_API_KEY": embedder.api_key,
        "EMBEDDING_DIMENSIONS": str(width_of(embedder)),
        "ENABLE_BACKEND_ACCESS_CONTROL": "false",
        "COGNEE_SKIP_CONNECTION_TEST": "true",
        "COGNEE_LOG_FILE": "false",
        "GRAPH_DATABASE_SUBPROCESS_ENABLED": "false",
        "VECTOR_DB_SUBPROCESS_ENABLED": "false",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "TIKTOKEN_CACHE_DIR": _tokenizers(),
    }


def _count_special_tokens_as_text() -> None:
    """The package's tokenizer raises on a text that holds one, such as `<|endoftext|>`."""
    import tiktoken

    encoding: Any = tiktoken.Encoding
    encoding.encode = lambda self, text, **_: self.encode_ordinary(text)


def _tokenizers() -> str:
    """Where litellm keeps cl100k_base, which the package would download."""
    found = importlib.util.find_spec("litellm")
    assert found is not None and found.origin is not None
    return str(Path(found.origin).parent / "litellm_core_utils" / "tokenizers")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
