"""Hindsight: facts extracted with their dates, consolidated into observations, in Postgres.

One document per session. Consolidation runs inside `retain` (the synchronous task backend), so it
is part of ingest. Recall is the package's own four retrievals fused by rank; `reflect` is not
used: it writes the wall clock into its prompt.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from membench.adapters.environment.worker import postgres
from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.texts import spoken
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

BANK = "case"
PAGE = 500


class System:
    """One engine and one Postgres per case."""

    def __init__(self, context: SystemContext) -> None:
        """Configure the package by its variables and import it."""
        os.environ.update(_variables(context))
        import hindsight_api.engine.memory_engine as engine
        import hindsight_api.engine.task_backend as tasks
        from hindsight_api.models import RequestContext

        self._new_engine: Any = lambda uri: engine.MemoryEngine(
            db_url=uri, task_backend=tasks.SyncTaskBackend(), skip_llm_verification=True
        )
        self._new_request = RequestContext
        self._context = context
        self._loop = asyncio.Runner()
        self._engine: Any = None
        self._postgres: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Start Postgres and the engine, with an empty bank."""
        self._sessions: dict[str, Session] = {}
        self._now = UNDATED
        self._speakers = " and ".join(case.speakers)
        self._postgres = postgres.started("hindsight", self._context.workdir / "postgres")
        self._engine = self._new_engine(self._postgres.uri)
        self._loop.run(self._engine.initialize())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Retain a session as one dated document; consolidation included."""
        lines = [spoken(turn) for turn in session.turns if turn.content.strip()]
        if not lines:
            return []
        self._now = session.time or self._now
        before = self.memories()
        self._sessions[session.id] = session
        document = {
            "content": "\n".join(lines),
            "context": f"conversation between {self._speakers}",
            "event_date": self._now.replace(tzinfo=UTC),
            "document_id": session.id,
        }
        with dataset_clock(self._now):
            self._loop.run(
                self._engine.retain_batch_async(
                    BANK, [document], request_context=self._new_request()
                )
            )
        return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """Facts and observations by the package's own retrieval, cut to its 4,096 tokens."""
        if not query.text.strip() or not self._sessions:
            return []
        now = query.now or self._now
        with dataset_clock(now):
            found = self._loop.run(
                self._engine.recall_async(
                    BANK,
                    query.text,
                    question_date=now.replace(tzinfo=UTC),
                    max_tokens=int(self._context.parameters["max_tokens"]),
                    request_context=self._new_request(),
                )
            )
        return [self._memory(fact.model_dump()) for fact in found.results][: query.k]

    def memories(self) -> list[Memory]:
        """Every fact and observation."""
        if not self._sessions:
            return []
        return [self._memory(unit) for unit in self._loop.run(self._units())]

    def close(self) -> None:
        """Close the engine and stop Postgres, which would outlive us."""
        if self._engine is not None:
            self._loop.run(self._engine.close())
        if self._postgres is not None:
            self._postgres.stop()
        self._loop.close()

    async def _units(self) -> list[JsonObject]:
        """All pages of the listing."""
        units: list[JsonObject] = []
        while True:
            page = await self._engine.list_memory_units(
                BANK, limit=PAGE, offset=len(units), request_context=self._new_request()
            )
            units += page["items"]
            if len(page["items"]) < PAGE:
                return units

    def _memory(self, fact: JsonObject) -> Memory:
        """A fact; its sources are all turns of the session it was extracted from."""
        session = self._sessions.get(fact.get("document_id") or "")
        times = (fact.get(name) for name in ("occurred_start", "date", "mentioned_at"))
        return Memory(
            fact["text"],
            tuple(turn.id for turn in session.turns) if session else (),
            next((_time(time) for time in times if time), None),
            id=fact["id"],
        )


def _time(value: object) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    naive = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    return naive.replace(microsecond=0)


def _variables(context: SystemContext) -> dict[str, str]:
    """The package's own configuration; everything else is its default."""
    model, embedder = (context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
    prefix = "HINDSIGHT_API_"
    return {
        f"{prefix}LLM_PROVIDER": "openai",
        f"{prefix}LLM_BASE_URL": model.base_url,
        f"{prefix}LLM_MODEL": model.model,
        f"{prefix}LLM_API_KEY": model.api_key,
        f"{prefix}EMBEDDINGS_PROVIDER": "openai",
        f"{prefix}EMBEDDINGS_OPENAI_BASE_URL": embedder.base_url,
        f"{prefix}EMBEDDINGS_OPENAI_MODEL": embedder.model,
        f"{prefix}EMBEDDINGS_OPENAI_API_KEY": embedder.api_key,
        f"{prefix}RERANKER_PROVIDER": "rrf",
        f"{prefix}RUN_MIGRATIONS_ON_STARTUP": "true",
        f"{prefix}RETAIN_MAX_COMPLETION_TOKENS": str(context.parameters["retain_tokens"]),
        "HOME": str(Path.home()),
    }
