"""Graphiti without a model: turns as episodes in any database, found by the package's word search.

What `add_episode` saves before it asks a model is saved here, and nothing is extracted from it.
"""

from __future__ import annotations

from datetime import UTC, timedelta
from typing import Any

from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Session
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

from ..graphiti.database import GROUP, OnDatabase  # noqa: TID252

SOURCE = "dialogue"


class RawEpisodes(OnDatabase):
    """Episodes in a database of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        import graphiti_core.nodes
        import graphiti_core.search.search as search

        super().__init__(context)
        self._new_episode = graphiti_core.nodes.EpisodicNode
        self._kind = graphiti_core.nodes.EpisodeType.message
        self._search = search
        self._driver: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty graph."""
        self._stored: dict[str, Memory] = {}
        self._driver = self._loop.run(self._new_driver())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Save an episode per turn that has words."""
        before = len(self._stored)
        for turn in session.turns:
            if turn.text.strip():
                time = time_of(turn, session)
                stamp = (time or UNDATED) + timedelta(seconds=len(self._stored) - before)
                with dataset_clock(stamp, stands_still=True):
                    episode = self._new_episode(
                        name=turn.id,
                        group_id=GROUP,
                        source=self._kind,
                        source_description=SOURCE,
                        content=turn.text,
                        valid_at=stamp.replace(tzinfo=UTC),
                    )
                    self._loop.run(episode.save(self._driver))
                self._stored[episode.uuid] = Memory(turn.text, (turn.id,), time, id=episode.uuid)
        return [MemoryChange("add", memory) for memory in list(self._stored.values())[before:]]

    def recall(self, query: Query) -> list[Memory]:
        """Episodes by keyword search.

        No group is named, since the database is the case's: over FalkorDB the group becomes a part
        of the word query, whose scorer then divides by distances that mean nothing.
        """
        if not query.text.strip() or not self._stored:
            return []
        limit = min(query.k or len(self._stored), len(self._stored))
        found = self._loop.run(
            self._search.episode_fulltext_search(
                self._driver, query.text, self._search.SearchFilters(), None, limit
            )
        )
        return [self._memory(episode) for episode in found][:limit]

    def memories(self) -> list[Memory]:
        """Every episode, in the order of the history."""
        if not self._stored:
            return []
        episodes = self._loop.run(self._new_episode.get_by_group_ids(self._driver, [GROUP]))
        found = {episode.uuid: self._memory(episode) for episode in episodes}
        return [found[name] for name in self._stored if name in found]

    def _memory(self, episode: Any) -> Memory:
        """An episode; its name is the turn's id."""
        time = self._stored[episode.uuid].time
        return Memory(episode.content, (episode.name,), time, id=episode.uuid)
