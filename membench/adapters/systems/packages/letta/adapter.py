"""Letta: the archival memory of an agent, in Postgres with pgvector.

Passages are inserted and searched by the functions that the package's server calls for its
endpoints, in this process, so that the dataset's clock holds for the agent too.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

from membench.adapters.environment.worker import postgres
from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import spoken, stamp, time_of
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

BLOCKS = ("persona", "human")
TOOLS = ["archival_memory_insert", "archival_memory_search"]
"""What the package's default agent lacks since 0.16: tools for its archival memory."""
LONGEST = 8000
"""Characters of a passage; the package refuses more than 32,768 bytes."""

SEQUENCE = (
    "CREATE SEQUENCE message_seq_id OWNED BY messages.sequence_id",
    "ALTER TABLE messages ALTER sequence_id SET DEFAULT nextval('message_seq_id')",
)
"""What the package's migrations add to its tables: the order of messages."""
UNBOUNDED = 1_000_000
"""Passages of a search without a bound; the package's default is 5."""


class System:
    """One agent with a Postgres of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Start Postgres, whose address the package reads on import, and import it."""
        self._context = context
        self._by_agent = context.parameters["writes"] == "agent"
        self._postgres = postgres.started("letta", context.workdir / "postgres")
        os.environ.update(_variables(context, self._postgres.uri))
        import letta.orm
        from letta.agents.agent_loop import AgentLoop
        from letta.schemas.agent import CreateAgent
        from letta.schemas.block import CreateBlock
        from letta.schemas.embedding_config import EmbeddingConfig
        from letta.schemas.llm_config import LLMConfig
        from letta.schemas.message import MessageCreate
        from letta.schemas.run import Run
        from letta.server.db import close_db, engine
        from letta.server.server import SyncServer

        self._tables, self._engine, self._close_db = letta.orm.Base.metadata, engine, close_db
        self._load, self._new_message = AgentLoop.load, MessageCreate
        self._new_agent, self._new_block, self._new_run = CreateAgent, CreateBlock, Run
        self._new_embedding, self._new_llm = EmbeddingConfig, LLMConfig
        self._server = SyncServer()
        self._loop = asyncio.Runner()

    def reset(self, case: CaseInfo) -> None:
        """Make the package's tables, its default user and an agent."""
        self._sources: dict[str, str] = {}
        self._now = UNDATED
        with dataset_clock(None):
            self._loop.run(self._make_agent())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Insert every turn that has words as a passage, or tell the agent the session."""
        told = [turn for turn in session.turns if turn.text.strip()]
        self._now = session.time or self._now
        if not told:
            return []
        with dataset_clock(self._now, stands_still=True):
            if not self._by_agent:
                return [change for turn in told for change in self._inserted(turn, session)]
            before = self.memories()
            lines = "\n".join(spoken(turn) for turn in told)
            head = f"Date: {stamp(session.time)}\n" if session.time else ""
            self._loop.run(self._tell(head + lines))
            return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """What the agent has in its context all the time, and what archival search finds."""
        if not query.text.strip():
            return []
        with dataset_clock(query.now or self._now):
            found = self._loop.run(
                self._server.agent_manager.search_agent_archival_memory_async(
                    self._agent.id, self._actor, query.text, top_k=query.k or UNBOUNDED
                )
            )
            blocks = self._loop.run(self._blocks()) if self._by_agent else []
        passages = [self._passage(hit["id"], hit["content"], hit["timestamp"]) for hit in found]
        return [*blocks, *passages][: query.k]

    def memories(self) -> list[Memory]:
        """Blocks that the agent wrote, and every passage by its time."""
        listed = self._loop.run(
            self._server.agent_manager.query_agent_passages_async(
                self._actor, self._agent.id, limit=None
            )
        )
        passages = [self._passage(entry.id, entry.text, entry.created_at) for entry, *_ in listed]
        blocks = self._loop.run(self._blocks()) if self._by_agent else []
        return [*blocks, *passages]

    def close(self) -> None:
        """Close the connections and stop Postgres, which would outlive us."""
        self._loop.run(self._close_db())
        self._loop.close()
        self._postgres.stop()

    async def _make_agent(self) -> None:
        await self._make_tables()
        server = self._server
        await server.organization_manager.create_default_organization_async()
        self._actor = await server.user_manager.create_default_actor_async()
        await server.tool_manager.upsert_base_tools_async(actor=self._actor)
        agent = self._new_agent(
            name="case",
            memory_blocks=[self._new_block(label=label, value="") for label in BLOCKS],
            tools=TOOLS,
            llm_config=self._language_model(),
            embedding_config=self._embedder(),
            timezone="UTC",
        )
        self._agent = await server.agent_manager.create_agent_async(agent, self._actor)

    async def _make_tables(self) -> None:
        """What the package's migrations would make: they are not in its wheel."""
        from sqlalchemy import text

        async with self._engine.begin() as connection:
            await connection.execute(text("CREATE EXTENSION IF NOT EXISTS vector"))
            await connection.run_sync(self._tables.create_all)
            for statement in SEQUENCE:
                await connection.execute(text(statement))

    def _inserted(self, turn: Turn, session: Session) -> Iterable[MemoryChange]:
        """Store a turn by the function behind the endpoint that inserts a passage."""
        time = (time_of(turn, session) or UNDATED).replace(tzinfo=UTC)
        for start in range(0, len(turn.text), LONGEST):
            (entry,) = self._loop.run(
                self._server.insert_archival_memory_async(
                    self._agent.id, turn.text[start : start + LONGEST], self._actor, None, time
                )
            )
            self._sources[entry.id] = turn.id
            yield MemoryChange("add", self._passage(entry.id, entry.text, entry.created_at))

    async def _tell(self, text: str) -> None:
        """Send the agent a message and let it use its tools until it answers."""
        manager = self._server.agent_manager
        self._agent = await manager.get_agent_by_id_async(self._agent.id, self._actor)
        run = self._new_run(agent_id=self._agent.id)
        run = await self._server.run_manager.create_run(run, self._actor)
        message = self._new_message(role="user", content=text)
        done = await self._load(self._agent, self._actor).step([message], run_id=run.id)
        ended = done.stop_reason.stop_reason
        if ended not in ("end_turn", "max_steps"):
            raise RuntimeError(f"the agent's turn ended with {ended}")

    async def _blocks(self) -> list[Memory]:
        """The blocks of the agent's context that hold something."""
        manager = self._server.agent_manager
        agent = await manager.get_agent_by_id_async(self._agent.id, self._actor)
        blocks = agent.memory.blocks
        return [Memory(block.value, id=block.id) for block in blocks if block.value.strip()]

    def _passage(self, name: str, text: str, time: datetime | str) -> Memory:
        when = datetime.fromisoformat(time) if isinstance(time, str) else time
        naive = when.astimezone(UTC).replace(tzinfo=None, microsecond=0)
        source = self._sources.get(name)
        return Memory(
            text, (source,) if source else (), naive if naive != UNDATED else None, id=name
        )

    def _language_model(self) -> Any:
        """The agent's model; nobody calls it while passages are inserted."""
        endpoint = self._context.models.get(Role.MEMORY, self._context.models[Role.EMBEDDER])
        return self._new_llm(
            model=endpoint.model,
            model_endpoint_type="openai",
            model_endpoint=endpoint.base_url,
            context_window=int(self._context.parameters["context_window"]),
        )

    def _embedder(self) -> Any:
        endpoint = self._context.models[Role.EMBEDDER]
        return self._new_embedding(
            embedding_model=endpoint.model,
            embedding_endpoint_type="openai",
            embedding_endpoint=endpoint.base_url,
            embedding_dim=width_of(endpoint),
        )


def _variables(context: SystemContext, uri: str) -> dict[str, str]:
    """The package's own configuration; everything else is its default."""
    folder = context.workdir / "letta"
    folder.mkdir()
    endpoint = context.models[Role.EMBEDDER]
    return {
        "LETTA_DIR": str(folder),
        "LETTA_PG_URI": uri.replace("postgresql://", "postgresql+pg8000://") + "?sslmode=disable",
        "OPENAI_API_KEY": endpoint.api_key,
        "OPENAI_BASE_URL": endpoint.base_url,
    }
