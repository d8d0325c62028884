"""MemOS of MemTensor, its tree text memory: facts read from windows of a session, in Postgres.

Composed as the package composes it for a user's memories: its reader makes the items, its memory
stores and searches them.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from membench.adapters.environment.worker import postgres
from membench.adapters.environment.worker.clock import dataset_clock
from membench.adapters.environment.worker.models import width_of
from membench.adapters.environment.worker.texts import spoken, stamp, time_of
from membench.domain.case import CaseInfo, Session, Turn
from membench.domain.labels import JsonObject, Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

from ..memos_general.models import (  # noqa: TID252
    embedder,
    language_model,
    prepare_package,
    reading_model,
)

OWNER = "case"
"""The package's user, session and database in one case."""
BATCH = 9
"""Items stored at once; ten and more the package writes in threads, in an order of chance."""


class System:
    """One `TreeTextMemory` with a Postgres of its own per case."""

    def __init__(self, context: SystemContext) -> None:
        """Import the package, which writes logs below the folder it is told, and start Postgres."""
        prepare_package(tempfile.gettempdir())
        from memos.configs.mem_reader import SimpleStructMemReaderConfig
        from memos.configs.memory import TreeTextMemoryConfig
        from memos.mem_reader.simple_struct import SimpleStructMemReader
        from memos.memories.textual.tree import TreeTextMemory

        self._reader = SimpleStructMemReader(SimpleStructMemReaderConfig(**_reading(context)))
        self._new_config, self._new_memory = TreeTextMemoryConfig, TreeTextMemory
        self._postgres = postgres.started(OWNER, context.workdir / "postgres")
        self._context = context
        self._mode = str(context.parameters["reads"])
        self._memory: Any = None

    def reset(self, case: CaseInfo) -> None:
        """Open an empty store: the database is this case's alone."""
        self._read_from: dict[str, tuple[Session, tuple[str, ...]]] = {}
        settings = _remembering(self._context, self._postgres.uri)
        self._memory = self._new_memory(self._new_config(**settings))

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Have the reader make items of a session, and store them."""
        turns = [turn for turn in session.turns if turn.content.strip()]
        if not turns:
            return []
        messages = [_message(turn, session) for turn in turns]
        with dataset_clock(session.time, stands_still=True):
            items = self._extracted(messages)
            for start in range(0, len(items), BATCH):
                self._memory.add(items[start : start + BATCH], user_name=OWNER)
        for item in items:
            place, length = _window(item, messages)
            sources = tuple(turn.id for turn in turns[place : place + length])
            self._read_from[item.id] = session, sources
        self._check_stored()
        return [MemoryChange("add", self._read(item.id, item.memory)) for item in items]

    def recall(self, query: Query) -> list[Memory]:
        """The package's search in its fast mode, which calls no language model."""
        stored = len(self._read_from)
        if not query.text.strip() or not stored:
            return []
        found = self._memory.search(
            query.text,
            min(query.k or stored, stored),
            info={"user_id": OWNER, "session_id": OWNER},
            user_name=OWNER,
        )
        return [self._read(item.id, item.memory) for item in found]

    def memories(self) -> list[Memory]:
        """Every memory, in the order in which they were stored."""
        stored = self._stored()
        return [self._read(name, stored[name]) for name in self._read_from]

    def close(self) -> None:
        """Close the connections and stop Postgres, which would outlive us."""
        if self._memory is not None:
            self._memory.graph_store.close()
        self._postgres.stop()

    def _extracted(self, messages: list[JsonObject]) -> list[Any]:
        """The reader's items in the order of the dialogue: it returns windows as they are done."""
        info = {"user_id": OWNER, "session_id": OWNER}
        windows = self._reader.get_memory([messages], type="chat", info=info, mode=self._mode)
        items = [item for window in windows for item in window]
        return sorted(items, key=lambda item: _window(item, messages))

    def _stored(self) -> dict[str, str]:
        nodes = self._memory.get_all(user_name=OWNER)["nodes"] if self._read_from else []
        return {node["id"]: node["memory"] for node in nodes}

    def _check_stored(self) -> None:
        """The package logs what it could not write, and goes on."""
        if lost := self._read_from.keys() - self._stored().keys():
            raise RuntimeError(f"{len(lost)} memories were not stored")

    def _read(self, name: str, text: str) -> Memory:
        """A memory; its sources are the turns of the window it was read from."""
        session, sources = self._read_from[name]
        return Memory(text, sources, session.time, id=name)


def _message(turn: Turn, session: Session) -> JsonObject:
    time = time_of(turn, session)
    return {
        "role": turn.role,
        "content": spoken(turn),
        "chat_time": stamp(time) if time else "",
    }


def _window(item: Any, messages: Sequence[JsonObject]) -> tuple[int, int]:
    """Where the messages that an item was read from begin, and how many they are."""
    told = [source.content for source in item.metadata.sources]
    texts = [message["content"] for message in messages]
    starts = range(len(texts) - len(told) + 1)
    return next(start for start in starts if texts[start : start + len(told)] == told), len(told)


def _reading(context: SystemContext) -> JsonObject:
    """Of the reader; its chunker is for documents, and others than this one need downloads."""
    chunker = {"tokenizer_or_token_counter": "character"}
    return {
        "llm": reading_model(context),
        "embedder": embedder(context),
        "chunker": {"backend": "sentence", "config": chunker},
    }


def _remembering(context: SystemContext, uri: str) -> JsonObject:
    """Of the memory; everything else is the package's default, `reorganize` (off) included."""
    model = language_model(context)
    address = urlsplit(uri)
    database = {
        "host": address.hostname,
        "port": address.port,
        "user": address.username,
        "password": address.password or "",
        "db_name": address.path.strip("/"),
        "user_name": OWNER,
        "embedding_dimension": width_of(context.models[Role.EMBEDDER]),
    }
    return {
        "extractor_llm": model,
        "dispatcher_llm": model,
        "embedder": embedder(context),
        "graph_db": {"backend": "postgres", "config": database},
    }
