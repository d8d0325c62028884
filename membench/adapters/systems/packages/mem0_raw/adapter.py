"""mem0 without its model: `add(infer=False)` stores every turn as it is, recalled by similarity.

The package takes no date: it writes today's into its store, so `add` runs while the process' clock
shows the turn's date.
"""

from __future__ import annotations

from typing import Any

from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

EVERYTHING = 100_000


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
        self._stored: dict[str, Memory] = {}
        with dataset_clock(UNDATED):
            self._memory = self._new(self._config())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Store every turn that has words, with its id as metadata."""
        before = len(self._stored)
        for turn in session.turns:
            if turn.text.strip():
                time = time_of(turn, session)
                message = {"role": turn.role, "content": turn.text}
                with dataset_clock(time, stands_still=True):
                    reply = self._memory.add(
                        [message], user_id=self._case, metadata={"turn": turn.id}, infer=False
                    )
                (result,) = reply["results"]
                memory = Memory(result["memory"], (turn.id,), time, id=result["id"])
                self._stored[result["id"]] = memory
        return [MemoryChange("add", memory) for memory in list(self._stored.values())[before:]]

    def recall(self, query: Query) -> list[Memory]:
        """The most similar turns."""
        if not query.text.strip() or not self._stored:
            return []
        with dataset_clock(query.now):
            reply = self._memory.search(
                query.text,
                filters={"user_id": self._case},
                top_k=min(query.k or EVERYTHING, len(self._stored)),
                threshold=0.0,
            )
        return [self._found(result) for result in reply["results"]]

    def memories(self) -> list[Memory]:
        """Every turn, in the order of the history."""
        reply = self._memory.get_all(filters={"user_id": self._case}, top_k=EVERYTHING)
        found = {result["id"]: self._found(result) for result in reply["results"]}
        return [found[name] for name in self._stored if name in found]

    def close(self) -> None:
        """Close the databases."""
        if self._memory is not None:
            self._memory.close()
            self._memory.vector_store.client.close()

    def _found(self, result: JsonObject) -> Memory:
        """What the package returns; its date is that of the turn, or none."""
        source = result["metadata"]["turn"]
        time = self._stored[result["id"]].time
        return Memory(result["memory"], (source,), time, result.get("score"), result["id"])

    def _config(self) -> JsonObject:
        """Everything that is not mem0's default; the language model is named and never called."""
        embedder = self._context.models[Role.EMBEDDER]
        store = self._context.workdir
        endpoint = {"openai_base_url": embedder.base_url, "api_key": embedder.api_key}
        database = {
            "collection_name": "memories",
            "path": str(store / "qdrant"),
            "embedding_model_dims": width_of(embedder),
            "on_disk": True,
        }
        return {
            "llm": {"provider": "openai", "config": {"model": "none", **endpoint}},
            "embedder": {"provider": "openai", "config": {"model": embedder.model, **endpoint}},
            "vector_store": {"provider": "qdrant", "config": database},
            "history_db_path": str(store / "history.db"),
        }
