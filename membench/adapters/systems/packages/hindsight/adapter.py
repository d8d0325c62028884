"""Hindsight: facts extracted with their dates, consolidated into observations, in Postgres.

Without a language model (`extraction=none`) the package stores chunks of the session instead.

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
from membench.domain.case import CaseInfo, Session, Turn
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
        content = "\n".join(spoken(turn) for turn in _told(session))
        if not content:
            return []
        self._now = session.time or self._now
        before = self.memories()
        self._sessions[session.id] = session
        document = {
            "content": content,
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
        """A fact, whose sources are all turns of its session, or a chunk with the turns in it."""
        session = self._sessions.get(fact.get("document_id") or "")
        sources: tuple[str, ...] = ()
        if session is not None:
            part = fact["text"] if self._context.parameters["extraction"] == "none" else None
            sources = turns_within(session, part)
        times = (fact.get(name) for name in ("occurred_start", "date", "mentioned_at"))
        return Memory(
            fact["text"],
            sources,
            next((_time(time) for time in times if time), None),
            id=fact["id"],
        )


def _told(session: Session) -> list[Turn]:
    return [turn for turn in session.turns if turn.content.strip()]


def turns_within(session: Session, part: str | None) -> tuple[str, ...]:
    """Ids of the turns of which something is in a part of the document; None for all of it."""
    if part is None:
        return tuple(turn.id for turn in session.turns)
    content = "\n".join(spoken(turn) for turn in _told(session))
    first = content.find(part)
    last = first + len(part) if first >= 0 else -1
    found, start = [], 0
    for turn in _told(session):
        end = start + len(spoken(turn))
        if start < last and first < end:
            found.append(turn.id)
        start = end + 1
    return tuple(found)


def _time(value: object) -> datetime:
    time = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    naive = time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    return naive.replace(microsecond=0)


def _variables(context: SystemContext) -> dict[str, str]:
    """The package's own configuration; everything else is its default."""
    embedder = context.models[Role.EMBEDDER]
    prefix = "HINDSIGHT_API_"
    return {
        **{f"{prefix}LLM_{name}": value for name, value in _language_model(context).items()},
        f"{prefix}EMBEDDINGS_PROVIDER": "openai",
        f"{prefix}EMBEDDINGS_OPENAI_BASE_URL": embedder.base_url,
        f"{prefix}EMBEDDINGS_OPENAI_MODEL": embedder.model,
        f"{prefix}EMBEDDINGS_OPENAI_API_KEY": embedder.api_key,
        f"{prefix}RERANKER_PROVIDER": "rrf",
        f"{prefix}RUN_MIGRATIONS_ON_STARTUP": "true",
        f"{prefix}RETAIN_MAX_COMPLETION_TOKENS": str(context.parameters["retain_tokens"]),
        "HOME": str(Path.home()),
    }


def _language_model(context: SystemContext) -> dict[str, str]:
    if context.parameters["extraction"] == "none":
        return {"PROVIDER": "none"}
    model = context.models[Role.MEMORY]
    return {
        "PROVIDER": "openai",
        "BASE_URL": model.base_url,
        "MODEL": model.model,
        "API_KEY": model.api_key,
    }
