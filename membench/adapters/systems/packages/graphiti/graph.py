"""Graphiti: a temporal knowledge graph, built by several model calls per episode, in any database.

An episode is a turn, as in its authors' own evaluation, or a whole session. Dates are native: each
episode has a reference time. What the package stamps with the wall clock besides (`created_at`,
`expired_at`) is stamped with the dataset's.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import spoken
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

from .database import GROUP, OnDatabase

EVERYTHING = 10_000
SOURCE = "dialogue"
Episode = tuple[str, datetime, tuple[str, ...]]
"""Text, time and turn ids."""


class Graph(OnDatabase):
    """One `Graphiti` with a database of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Nothing is open before `reset`."""
        super().__init__(context)
        self._graph: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty graph."""
        self._turns: dict[str, tuple[str, ...]] = {}
        self._now = self._start = UNDATED
        self._episodes = 0
        self._graph = self._loop.run(self._new_graph())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Add a session's episodes, one after the other."""
        self._start = self._now
        return [
            change
            for body, time, sources in self._bodies(session)
            for change in self._add(body, time, sources)
        ]

    def recall(self, query: Query) -> list[Memory]:
        """Facts by hybrid search (vectors and keywords, fused by rank).

        No group is named, since the database is the case's: over FalkorDB the group becomes a part
        of the word query, whose scorer then divides by distances that mean nothing.
        """
        if not query.text.strip():
            return []
        with dataset_clock(query.now or self._now):
            edges = self._loop.run(
                self._graph.search(query.text, num_results=query.k or EVERYTHING)
            )
        return [self._memory(edge) for edge in edges]

    def memories(self) -> list[Memory]:
        """Every fact, in the order of the episodes that first stated them."""
        from graphiti_core.edges import EntityEdge
        from graphiti_core.errors import GroupsEdgesNotFoundError

        try:
            edges = self._loop.run(EntityEdge.get_by_group_ids(self._graph.driver, [GROUP]))
        except GroupsEdgesNotFoundError:
            return []
        order = {episode: place for place, episode in enumerate(self._turns)}
        edges.sort(key=lambda edge: (min(order[episode] for episode in edge.episodes), edge.fact))
        return [self._memory(edge) for edge in edges]

    def close(self) -> None:
        """Close the connection and end the event loop."""
        if self._graph is not None:
            self._loop.run(self._graph.close())
        super().close()

    def _bodies(self, session: Session) -> list[Episode]:
        """The episodes of a session."""
        turns = [turn for turn in session.turns if turn.content.strip()]
        spoken_turns: list[Episode] = [
            (spoken(turn), self._time(turn, session, place), (turn.id,))
            for place, turn in enumerate(turns)
        ]
        if self._context.parameters["episode"] == "turn" or not turns:
            return spoken_turns
        text = "\n".join(body for body, _, _ in spoken_turns)
        return [(text, spoken_turns[0][1], tuple(turn.id for turn in turns))]

    def _time(self, turn: Turn, session: Session, place: int) -> datetime:
        """A turn's own time, else a second per turn after its session's.

        The package orders episodes by time alone; equal times would shuffle the dialogue.
        """
        if turn.time is not None:
            return turn.time
        return (session.time or self._start) + timedelta(seconds=place)

    def _add(self, body: str, time: datetime, sources: tuple[str, ...]) -> list[MemoryChange]:
        from graphiti_core.nodes import EpisodeType

        self._now = time
        self._episodes += 1
        with dataset_clock(time, stands_still=True):
            result = self._loop.run(
                self._graph.add_episode(
                    name=f"{SOURCE} {self._episodes}",
                    episode_body=body,
                    source=EpisodeType.message,
                    source_description=SOURCE,
                    reference_time=time.replace(tzinfo=UTC),
                    group_id=GROUP,
                )
            )
        episode = result.episode.uuid
        self._turns[episode] = sources
        return [
            MemoryChange("add" if edge.episodes == [episode] else "update", self._memory(edge))
            for edge in result.edges
        ]

    def _memory(self, edge: Any) -> Memory:
        """A fact with the turns of the episodes that state it."""
        sources = dict.fromkeys(
            turn for episode in edge.episodes for turn in self._turns.get(episode, ())
        )
        return Memory(edge.fact, tuple(sources), _naive(edge.valid_at), id=edge.uuid)

    async def _new_graph(self) -> Any:
        from graphiti_core import Graphiti
        from graphiti_core.embedder.openai import OpenAIEmbedder, OpenAIEmbedderConfig
        from graphiti_core.llm_client.config import LLMConfig
        from graphiti_core.llm_client.openai_generic_client import OpenAIGenericClient

        model, embedder = (self._context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
        return Graphiti(
            graph_driver=await self._new_driver(),
            llm_client=OpenAIGenericClient(
                LLMConfig(
                    api_key=model.api_key,
                    base_url=model.base_url,
                    model=model.model,
                    small_model=model.model,
                )
            ),
            embedder=OpenAIEmbedder(
                OpenAIEmbedderConfig(
                    api_key=embedder.api_key,
                    base_url=embedder.base_url,
                    embedding_model=embedder.model,
                    embedding_dim=width_of(embedder),
                )
            ),
            cross_encoder=_no_ranker(),
            max_coroutines=int(self._context.parameters["max_coroutines"]),
        )


def _naive(time: datetime | None) -> datetime | None:
    """Some drivers return naive UTC, others aware times."""
    if time is None or time.tzinfo is None:
        return time
    return time.astimezone(UTC).replace(tzinfo=None)


def _no_ranker() -> Any:
    """Keeps recall free of model calls: the default makes one per passage."""
    from graphiti_core.cross_encoder.client import CrossEncoderClient

    class KeepOrder(CrossEncoderClient):  # type: ignore[misc]
        async def rank(self, query: str, passages: list[str]) -> list[tuple[str, float]]:
            return [(passage, 1.0 / (place + 1)) for place, passage in enumerate(passages)]

    return KeepOrder()
