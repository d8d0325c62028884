"""ReMe 0.4: an agent writes each session down as a note of its day, in Markdown files.

The package's default configuration, with its file watchers and nightly jobs taken out: what the
watcher would do is asked for after each session.
"""

from __future__ import annotations

import asyncio
from datetime import UTC
from typing import Any

from membench.adapters.environment.worker.changes import changes
from membench.adapters.environment.worker.clock import UNDATED, dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import time_of
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

BACKGROUND = ("background", "cron")
"""Kinds of jobs that run by themselves."""


class System:
    """One workspace per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package."""
        from reme.config import resolve_app_config
        from reme.reme import ReMe
        from reme.steps.file_io.write import WriteStep
        from reme.steps.index.init_changes import InitChangesStep

        _name_files_in_the_workspace(WriteStep)
        _find_files_in_order(InitChangesStep)
        self._new_app, self._defaults = ReMe, resolve_app_config
        self._context = context
        self._loop = asyncio.Runner()
        self._app: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Start the package on an empty workspace."""
        self._sessions: dict[str, Session] = {}
        self._now = UNDATED
        self._app = self._new_app(**self._configuration())
        with dataset_clock(None):
            self._loop.run(self._app.start())

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Let the agent write the session's note, tag it, and index what it wrote."""
        messages = [_message(turn, session) for turn in session.turns if turn.content.strip()]
        self._now = session.time or self._now
        if not messages:
            return []
        before = self.memories()
        with dataset_clock(self._now, stands_still=True):
            self._loop.run(self._write(session, messages))
        return changes(before, self.memories())

    def recall(self, query: Query) -> list[Memory]:
        """Chunks of notes by the package's search: vectors and keywords, fused by rank."""
        chunks = self._chunks()
        if not query.text.strip() or not chunks:
            return []
        with dataset_clock(query.now or self._now):
            found = self._loop.run(
                self._app.run_job("search", query=query.text, limit=query.k or len(chunks))
            )
        self._check_vectors()
        return [
            self._memory(hit["id"], hit["path"], hit["text"], hit["scores"].get("score"))
            for hit in found.metadata.get("results", ())
        ]

    def memories(self) -> list[Memory]:
        """Every chunk that the search can find."""
        return [self._memory(chunk.id, chunk.path, chunk.text) for chunk in self._chunks()]

    def close(self) -> None:
        """Stop the package."""
        if self._app is not None:
            self._loop.run(self._app.close())
        self._loop.close()

    async def _write(self, session: Session, messages: list[JsonObject]) -> None:
        name = f"session-{session.index}"
        day = f"{self._now:%Y-%m-%d}"
        done = await self._app.run_job("auto_memory", messages=messages, session_id=name, date=day)
        if not done.success:
            raise RuntimeError(f"auto_memory: {done.answer}")
        if path := done.metadata.get("path"):
            self._sessions[path] = session
        await self._app.run_job("index_update")
        self._check_vectors()

    def _check_vectors(self) -> None:
        """A refused embedding would leave the package with keywords alone, and without a word."""
        vectors = self._app.context.components["embedding_store"]["default"]
        if not vectors.is_healthy or any(chunk.embedding is None for chunk in self._chunks()):
            raise RuntimeError("the embedder failed: the package would go on with keywords alone")

    def _chunks(self) -> list[Any]:
        """The store's chunks, in the order of days and notes."""
        store = self._app.context.components["file_store"]["default"]
        return sorted(store.file_chunks.values(), key=lambda chunk: (chunk.path, chunk.start_line))

    def _memory(self, name: str, path: str, text: str, score: float | None = None) -> Memory:
        """A chunk; that of a note names all turns of its session, that of a day's index none."""
        session = self._sessions.get(path)
        sources = tuple(turn.id for turn in session.turns) if session else ()
        return Memory(text, sources, session.time if session else None, score, name)

    def _configuration(self) -> JsonObject:
        """The defaults, the run's models, no jobs of their own accord."""
        given = self._defaults(log_config=False, **_settings(self._context))
        watch = given["jobs"]["index_update_loop"]
        jobs = {
            name: job for name, job in given["jobs"].items() if job["backend"] not in BACKGROUND
        }
        scan = next(step for step in watch["steps"] if step["backend"] == "init_changes_step")
        jobs["index_update"] = {**watch, "backend": "base", "steps": [scan]}
        return {**given, "jobs": jobs}


def _name_files_in_the_workspace(write_step: Any) -> None:
    """Its reply to the agent holds the path on this machine, which is another one in each run."""
    execute = write_step.execute

    async def execute_and_shorten(self: Any) -> Any:
        response = await execute(self)
        if response is not None:
            response.answer = response.answer.replace(f"{self.workspace_path}/", "")
        return response

    write_step.execute = execute_and_shorten


def _find_files_in_order(scan_step: Any) -> None:
    """It compares sets of paths: what is embedded together came in another order in each run."""
    compare = scan_step.diff

    def compare_in_order(*args: Any) -> tuple[list[JsonObject], JsonObject]:
        found, counts = compare(*args)
        return sorted(found, key=lambda change: (change["change"], change["path"])), counts

    scan_step.diff = staticmethod(compare_in_order)


def _message(turn: Turn, session: Session) -> JsonObject:
    time = (time_of(turn, session) or UNDATED).replace(tzinfo=UTC)
    return {
        "id": turn.id,
        "name": turn.speaker,
        "role": turn.role,
        "content": turn.content,
        "created_at": time.isoformat(),
    }


def _settings(context: SystemContext) -> JsonObject:
    """What the package's documentation says to set for models, and where files go."""
    model, embedder = (context.models[role] for role in (Role.MEMORY, Role.EMBEDDER))
    vectors = {
        "backend": "openai",
        "model": embedder.model,
        "dimensions": width_of(embedder),
        "credential": {"api_key": embedder.api_key, "base_url": embedder.base_url},
        "parameters": {},
    }
    language = {
        "backend": "openai",
        "model": model.model,
        "credential": {"api_key": model.api_key, "base_url": model.base_url},
        "parameters": {"max_tokens": int(context.parameters["max_tokens"])},
    }
    return {
        "workspace_dir": str(context.workdir / "workspace"),
        "timezone": "UTC",
        "enable_logo": False,
        "log_to_console": False,
        "log_to_file": False,
        "components": {
            "as_llm": {"default": language},
            "as_embedding": {"default": vectors},
            "embedding_store": {"default": {"backend": "local", "as_embedding": "default"}},
            "file_store": {"default": {"embedding_store": "default"}},
        },
    }
