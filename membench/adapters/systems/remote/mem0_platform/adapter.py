"""Mem0 Platform: facts extracted by the service in the background, recalled by its own search.

One `add` per session, with the session's date. The service answers at once with the id of an
event; a session is stored when that event has succeeded.
"""

from __future__ import annotations

import os

from membench.adapters.environment.worker.service import (
    ServiceFault,
    fresh_name,
    service_client,
    unix_s,
    wait_until,
)
from membench.adapters.environment.worker.texts import spoken
from membench.domain.case import CaseInfo, Session
from membench.domain.labels import JsonObject
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

MOST = 100
"""Facts of a page, and of a recall without k."""


class System:
    """One user of the service per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the client, which asks the service whether the key is good."""
        from mem0 import MemoryClient

        given = context.parameters
        self._patience_s = float(given["processing_s"])
        self._client = MemoryClient(
            api_key=os.environ["MEM0_API_KEY"],
            host=str(given["base_url"]),
            client=service_client(given),
        )
        self._sessions: dict[str, Session] = {}

    def reset(self, case: CaseInfo) -> None:
        """Delete the last user and choose a new one."""
        self._leave()
        self._user = fresh_name(case)

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Send a session and wait until its facts are stored; which, the event does not say."""
        messages = [
            {"role": turn.role, "content": spoken(turn)}
            for turn in session.turns
            if turn.content.strip()
        ]
        if not messages:
            return []
        dated = {"timestamp": unix_s(session.time)} if session.time else {}
        reply = self._client.add(
            messages, user_id=self._user, metadata={"session": session.id}, **dated
        )
        self._sessions[session.id] = session
        event = reply["event_id"]
        wait_until(lambda: self._succeeded(event), f"event {event}", self._patience_s)
        return None

    def recall(self, query: Query) -> list[Memory]:
        """What the service's search finds."""
        if not query.text.strip() or not self._sessions:
            return []
        dated = {"reference_date": f"{query.now:%Y-%m-%d}"} if query.now else {}
        reply = self._client.search(
            query.text, filters={"user_id": self._user}, top_k=query.k or MOST, **dated
        )
        return [self._memory(result) for result in reply["results"]]

    def memories(self) -> list[Memory]:
        """Every fact, page by page."""
        found: list[Memory] = []
        page: int | None = 1 if self._sessions else None
        while page is not None:
            reply = self._client.get_all(filters={"user_id": self._user}, page=page, page_size=MOST)
            found += [self._memory(result) for result in reply["results"]]
            page = page + 1 if reply.get("next") else None
        return found

    def close(self) -> None:
        """Delete the user with all that is stored of it."""
        try:
            self._leave()
        finally:
            self._client.client.close()

    def _leave(self) -> None:
        if self._sessions:
            self._client.delete_all(user_id=self._user)
            self._client.delete_users(user_id=self._user)
            self._sessions = {}

    def _succeeded(self, event: str) -> bool:
        """The client has no method for events; its connection carries the key."""
        told = self._client.client.get(f"/v1/event/{event}/").json()
        if told["status"] == "FAILED":
            raise ServiceFault("system_error", f"event {event} failed: {told.get('results')}")
        return bool(told["status"] == "SUCCEEDED")

    def _memory(self, result: JsonObject) -> Memory:
        """A fact; its sources are all turns of the session whose `add` stored it."""
        session = self._sessions.get((result.get("metadata") or {}).get("session", ""))
        sources = tuple(turn.id for turn in session.turns) if session else ()
        time = session.time if session else None
        return Memory(result["memory"], sources, time, result.get("score"), result["id"])
