"""Supermemory: memories and passages made by the service from one document per session.

The service answers at once with a document that is queued; a session is stored when it is done
and its memories are made.
"""

from __future__ import annotations

import os
from typing import Any

from membench.adapters.environment.worker.service import (
    ServiceFault,
    fresh_name,
    service_client,
    wait_until,
    zulu,
)
from membench.adapters.environment.worker.texts import spoken
from membench.domain.case import CaseInfo, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

MOST = 50
"""Results of a recall without k."""


class System:
    """One namespace of the service per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the client, and see whether the key is good."""
        from supermemory import Supermemory

        self._given = context.parameters
        self._patience_s = float(self._given["processing_s"])
        self._http = service_client(self._given)
        self._client = Supermemory(
            api_key=os.environ["SUPERMEMORY_API_KEY"],
            base_url=str(self._given["base_url"]),
            httpx_client=self._http,
            max_retries=0,
        )
        self._client.namespaces.list(limit=1)
        self._sessions: dict[str, Session] = {}

    def reset(self, case: CaseInfo) -> None:
        """Delete the last namespace and choose a new one."""
        self._leave()
        self._namespace = fresh_name(case)

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Send a session and wait until its memories are made; which, the service does not say."""
        lines = [spoken(turn) for turn in session.turns if turn.content.strip()]
        if not lines:
            return []
        dated = {"date": zulu(session.time)} if session.time else {}
        document = self._client.add(
            self._namespace,
            content="\n".join(lines),
            metadata={"session": session.id},
            dreaming=str(self._given["dreaming"]),
            **dated,
        ).id
        self._sessions[session.id] = session
        wait_until(lambda: self._done(document), f"document {document}", self._patience_s)
        return None

    def recall(self, query: Query) -> list[Memory]:
        """What the service's search finds."""
        if not query.text.strip() or not self._sessions:
            return []
        reply = self._client.search(
            self._namespace,
            query=query.text,
            limit=query.k or MOST,
            search_mode=str(self._given["search_mode"]),
        )
        return [self._memory(result) for result in reply.results]

    def close(self) -> None:
        """Delete the namespace with all that is in it."""
        try:
            self._leave()
        finally:
            self._http.close()

    def _leave(self) -> None:
        if self._sessions:
            self._client.namespaces.delete(self._namespace)
            self._sessions = {}

    def _done(self, document: str) -> bool:
        told = self._client.documents.get(self._namespace, document).system
        if told.status == "failed":
            raise ServiceFault("system_error", f"document {document} failed")
        return bool(told.status == "done" and told.dreaming_status == "done")

    def _memory(self, result: Any) -> Memory:
        """A memory or a passage; its sources are all turns of the session it was made from."""
        session = self._sessions.get((result.metadata or {}).get("session", ""))
        sources = tuple(turn.id for turn in session.turns) if session else ()
        time = session.time if session else None
        return Memory(result.memory or result.chunk, sources, time, result.similarity, result.id)
