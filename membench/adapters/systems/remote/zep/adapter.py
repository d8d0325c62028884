"""Zep Cloud: a temporal knowledge graph built by the service, of which facts are recalled.

A session is a thread of dated messages. The service answers at once with a task; a session is
stored when its tasks have succeeded.
"""

from __future__ import annotations

import os
from datetime import datetime, timedelta
from typing import Any

from membench.adapters.environment.worker.service import (
    ServiceFault,
    fresh_name,
    naive,
    service_client,
    wait_until,
    zulu,
)
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

MESSAGES = 30
"""Messages of one call: what the service's third API allowed; the fourth names no limit."""
MOST = 50
"""Facts of a recall without k."""
ROLES = ("user", "assistant", "system")


class System:
    """One user of the service per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the client."""
        from zep_cloud import AddMessage, Zep

        given = context.parameters
        self._patience_s = float(given["processing_s"])
        self._message = AddMessage
        self._http = service_client(given)
        self._client = Zep(
            api_key=os.environ["ZEP_API_KEY"],
            base_url=str(given["base_url"]),
            httpx_client=self._http,
            max_retries=0,
        )
        self._user: str | None = None

    def reset(self, case: CaseInfo) -> None:
        """Delete the last user and make a new one."""
        self._leave()
        self._turns: dict[str, str] = {}
        made = self._client.user.create(user_id=fresh_name(case))
        self._user, self._graph = made.uuid_, made.graph_uuid or made.uuid_

    def ingest(self, session: Session) -> list[MemoryChange] | None:
        """Send a session and wait until its graph is built; what changed is not said."""
        messages = self._messages(session)
        if not messages:
            return []
        thread = self._client.thread.create(user_uuid=self._user).uuid_
        for start in range(0, len(messages), MESSAGES):
            part = messages[start : start + MESSAGES]
            self._finish(self._client.thread.add_messages(thread, messages=part).task.uuid_)
        for episode in self._client.thread.list_episodes(thread):
            self._turns[episode.uuid_] = (episode.metadata or {}).get("turn", "")
        return None

    def recall(self, query: Query) -> list[Memory]:
        """Facts by the service's search, in its order."""
        if not query.text.strip():
            return []
        page = self._client.graph.search_edges(
            self._graph, query=query.text, page_size=query.k or MOST
        )
        return [self._memory(edge) for edge in page.items or []]

    def close(self) -> None:
        """Delete the user; the service removes its threads and its graph."""
        try:
            self._leave()
        finally:
            self._http.close()

    def _leave(self) -> None:
        if self._user is not None:
            user, self._user = self._user, None
            self._client.user.delete(user)

    def _messages(self, session: Session) -> list[Any]:
        return [
            self._message(
                role=turn.role if turn.role in ROLES else "user",
                name=turn.speaker,
                content=turn.content,
                metadata={"turn": turn.id},
                reference_time=_time(turn, session, place),
            )
            for place, turn in enumerate(session.turns)
            if turn.content.strip()
        ]

    def _finish(self, task: str) -> None:
        wait_until(lambda: self._succeeded(task), f"task {task}", self._patience_s)

    def _succeeded(self, task: str) -> bool:
        told = self._client.task.get(task)
        if told.status in ("failed", "partial"):
            raise ServiceFault("system_error", f"task {task} {told.status}: {told.error}")
        return bool(told.status == "succeeded")

    def _memory(self, edge: Any) -> Memory:
        """A fact with the turns that state it and the time from which it holds."""
        turns = (self._turns.get(episode) for episode in edge.episode_uuids or ())
        sources = tuple(dict.fromkeys(turn for turn in turns if turn))
        return Memory(edge.fact, sources, naive(edge.valid_at), edge.score, edge.uuid_)


def _time(turn: Turn, session: Session, place: int) -> str | None:
    """A turn's own time, else a second per turn after its session's: the order is kept."""
    time: datetime | None = turn.time
    if time is None and session.time is not None:
        time = session.time + timedelta(seconds=place)
    return None if time is None else zulu(time)
