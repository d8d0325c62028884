"""EverOS: a session as episodes, with facts and a profile beside them, in files and LanceDB.

The functions behind the endpoints of the package's server are called in this process, so that the
dataset's clock holds for what they stamp; its application is started for what runs beside them.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import Any

from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

ROOT = "everos"
TIMEOUT_S = 3600.0
POLL_S = 0.05
MOST = 100
"""Episodes of one search, by the package's own bound."""


class System:
    """One memory root per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package, which reads its settings when it is imported."""
        os.environ.update(_variables(context))
        import everos.component.utils.datetime as times
        from everos.entrypoints.api.app import create_app
        from everos.infra.persistence.index import episode_repo
        from everos.infra.persistence.sqlite import memcell_repo
        from everos.memory.search import SearchRequest
        from everos.service import memorize, search

        times._MS_THRESHOLD = 0.0  # below 1e12, the package takes milliseconds for seconds
        self._engine_of = importlib.import_module("everos.service.memorize")._get_engine
        self._new_app, self._memorize, self._search = create_app, memorize, search
        self._new_request = SearchRequest
        self._episodes, self._cells = episode_repo, memcell_repo
        self._context = context
        self._method = str(context.parameters["method"])
        self._loop = asyncio.Runner()
        self._running: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Start the package's application over an empty root."""
        self._speakers: dict[str, str] = {}
        self._owners: dict[str, None] = {}
        self._turns: dict[str, list[str]] = {}
        self._lost: list[str] = []
        self._now = UNDATED
        with dataset_clock(None):
            self._loop.run(self._start())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Add a session's messages, flush them, and wait for what is made of them.

        A job beside the episode that ends for good without a result (a profile, facts) is logged
        by the package, and the session stands without it.

        Raises:
            RuntimeError: Such a job failed and there is no episode either; or a file that could not
                be indexed.
        """
        turns = [turn for turn in session.turns if turn.content.strip()]
        self._now = session.time or self._now
        if not turns:
            return []
        before = self.memories()
        with dataset_clock(self._now, stands_still=True):
            self._loop.run(self._store(f"s{session.index}", turns))
        lost, self._lost = self._lost, []
        made = changes(before, self.memories())
        if lost and not made:
            raise RuntimeError(f"not stored: {lost}")
        return made

    def recall(self, query: Query) -> list[Memory]:
        """Episodes of everybody who has some, by the package's search."""
        if not query.text.strip():
            return []
        with dataset_clock(query.now or self._now):
            return self._loop.run(self._found(query))

    def memories(self) -> list[Memory]:
        """Every episode by its time; one that several own comes once."""
        return self._loop.run(self._listed())

    def close(self) -> None:
        """Stop the application."""
        if self._running is not None:
            self._loop.run(self._running.__aexit__(None, None, None))
        self._loop.close()

    async def _start(self) -> None:
        _write_settings(self._context.workdir / ROOT)
        self._engine = self._engine_of()
        self._engine.on_dead_letter(
            lambda run: self._lost.append(f"{run.strategy_name}: {run.error}")
        )
        app = self._new_app()
        self._running = app.router.lifespan_context(app)
        await self._running.__aenter__()
        self._index = app.state.lifespan_data["cascade"]

    async def _store(self, name: str, turns: Sequence[Turn]) -> None:
        messages = [self._message(turn) for turn in turns]
        self._turns[name] = [turn.id for turn in turns]
        told = {"session_id": name, "messages": messages}
        await self._memorize(told, defer_extraction=True)
        await self._memorize({**told, "messages": []}, is_final=True)
        if not await self._engine.wait_idle(timeout=TIMEOUT_S):
            raise RuntimeError("jobs in the background do not end")
        await self._index_files()

    async def _index_files(self) -> None:
        """Have every file that changed read into the index.

        What the package's `cascade sync` does, without the minute that it gives an index to merge:
        the rows are searchable before.
        """
        await self._index._scanner.scan_once()
        while (left := await self._index.queue_summary()).pending:
            if not await self._index._worker.drain_once():
                await asyncio.sleep(POLL_S)
        if left.failed_permanent:
            raise RuntimeError(f"not stored: {left}")

    async def _found(self, query: Query) -> list[Memory]:
        """The best of all owners, each episode once."""
        items: dict[str, Any] = {}
        for owner in self._owners:
            asked = self._new_request(
                user_id=owner,
                query=query.text,
                method=self._method,
                top_k=min(query.k or MOST, MOST),
            )
            for item in (await self._search(asked)).data.episodes:
                items.setdefault(item.episode, item)
        best = sorted(items.values(), key=lambda item: -item.score)[: query.k]
        rows = {row.id: row for row in await self._episodes.scan()}
        return await self._read([rows[item.id] for item in best])

    async def _listed(self) -> list[Memory]:
        rows = {row.episode: row for row in reversed(await self._sorted_rows())}
        return await self._read(list(reversed(rows.values())))

    async def _sorted_rows(self) -> list[Any]:
        return sorted(await self._episodes.scan(), key=lambda row: (row.timestamp, row.id))

    async def _read(self, rows: Sequence[Any]) -> list[Memory]:
        """Episodes; their sources are the turns of the cell that each was told from."""
        cells = await self._cells.find_by_ids([row.parent_id for row in rows])
        told = {cell.memcell_id: json.loads(cell.message_ids_json) for cell in cells}
        return [
            Memory(
                row.episode,
                tuple(self._turn(row.session_id, name) for name in told[row.parent_id]),
                _naive(row.timestamp),
                id=row.id,
            )
            for row in rows
        ]

    def _turn(self, session: str, message: str) -> str:
        """A message's id ends with its place in its session."""
        return self._turns[session][int(message.rpartition("_")[2])]

    def _message(self, turn: Turn) -> dict[str, object]:
        sender = self._speakers.setdefault(turn.speaker, f"speaker-{len(self._speakers) + 1}")
        if turn.role == "user":
            self._owners[sender] = None
        time = (turn.time or self._now).replace(tzinfo=UTC)
        return {
            "sender_id": sender,
            "sender_name": turn.speaker,
            "role": turn.role,
            "timestamp": int(time.timestamp() * 1000),
            "content": turn.content,
        }


def _naive(time: datetime) -> datetime | None:
    """The package's times are aware."""
    naive = time.astimezone(UTC).replace(tzinfo=None)
    return naive if naive != UNDATED else None


def _write_settings(root: Path) -> None:
    """The settings of jobs that `everos init` writes, without which the package does not start."""
    root.mkdir(exist_ok=True)
    settings = resources.files("everos") / "config" / "default_ome.toml"
    (root / "ome.toml").write_bytes(settings.read_bytes())


def _variables(context: SystemContext) -> dict[str, str]:
    """The package's own configuration; everything else is its default."""
    model, embedder = (context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
    return {
        "EVEROS_ROOT": str(context.workdir / ROOT),
        "EVEROS_MEMORIZE__MODE": "chat",
        "EVEROS_DISABLE_CASCADE_WATCHER": "1",
        "EVEROS_LLM__MODEL": model.model,
        "EVEROS_LLM__API_KEY": model.api_key,
        "EVEROS_LLM__BASE_URL": model.base_url,
        "EVEROS_LLM__TIMEOUT_SECONDS": str(TIMEOUT_S),
        "EVEROS_EMBEDDING__MODEL": embedder.model,
        "EVEROS_EMBEDDING__API_KEY": embedder.api_key,
        "EVEROS_EMBEDDING__BASE_URL": embedder.base_url,
        "EVEROS_EMBEDDING__DIM": str(width_of(embedder)),
        "EVEROS_EMBEDDING__TIMEOUT_SECONDS": str(TIMEOUT_S),
    }
