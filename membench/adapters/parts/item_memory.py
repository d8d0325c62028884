"""What native systems share: an item store from the parameters, an extractor, one way of recall.

A system inherits, says in `keep` what it stores of a session and in `ranked` what it finds.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Mapping
from io import BytesIO
from pathlib import Path
from typing import ClassVar

from membench.adapters.parts.budget import cut
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.items import ItemIndex, ItemStore, StoredItem, VectorIndex, WordIndex
from membench.adapters.parts.segments import Segment
from membench.adapters.parts.structured import Asks, ReplyCounts, StructuredModel
from membench.domain.case import CaseInfo, Item, Session
from membench.domain.labels import Role
from membench.domain.system import Memory, MemoryChange, Query, SystemContext

STATE = "state.pickle"


class ItemMemory:
    """A memory system over an `ItemStore`.

    Attributes:
        state: Names of the attributes that hold what is remembered, for snapshots.
    """

    state: ClassVar[tuple[str, ...]] = ("store",)

    def __init__(self, context: SystemContext) -> None:
        """Connect to the models that the parameters need, which are kept from case to case."""
        self.given = context.parameters
        self.seed = context.seed
        self.count_tokens = context.count_tokens
        self.embedder: Embedder | None = None
        if self.given.get("index", "dense") == "dense":
            batch, most = int(self.given["batch_size"]), int(self.given["max_tokens"])
            self.embedder = Embedder(context, batch, most)
        self.model: Asks = NO_MODEL
        if Role.MEMORY in context.models and "text_tokens" in self.given:
            text, reply = int(self.given["text_tokens"]), int(self.given["reply_tokens"])
            self.model = StructuredModel(context, text, reply)
        self.case = CaseInfo("", "")
        self.begin()

    def begin(self) -> None:
        """Start empty; systems with more than a store add theirs."""
        self.store = ItemStore(self.new_index())

    def keep(self, session: Session) -> None:
        """Store what a session leaves."""
        raise NotImplementedError

    def ranked(self, query: Query) -> Iterable[Memory]:
        """Memories, best first; more than asked for will do."""
        return (found.memory for found in self.store.search(query.text, query.k))

    def reset(self, case: CaseInfo) -> None:
        """Start a case."""
        self.case = case
        self.begin()

    def ingest(self, session: Session) -> list[MemoryChange]:
        """Store a session, index it, and say what changed."""
        self.store.hear(session)
        self.keep(session)
        self.store.flush()
        return self.store.take_changes()

    def remember(self, item: Item) -> list[MemoryChange]:
        """Store an item as it is."""
        self.store.add(StoredItem("", item.text, (item.id,), item.time))
        self.store.flush()
        return self.store.take_changes()

    def recall(self, query: Query) -> list[Memory]:
        """The memories ranked first."""
        return cut(self.ranked(query), query, self.count_tokens)

    def memories(self) -> list[Memory]:
        """Every item, oldest first."""
        return self.store.memories()

    def store_bytes(self) -> int:
        """Bytes of texts and index."""
        return self.store.size_bytes

    def reply_counts(self) -> ReplyCounts:
        """What became of the model's replies since the start."""
        return self.model.counts

    def snapshot(self, folder: Path) -> None:
        """Save what is remembered."""
        save(folder / STATE, {name: getattr(self, name) for name in self.state}, self.embedder)

    def restore(self, folder: Path) -> None:
        """Remember what was saved, and nothing else."""
        for name, value in load(folder / STATE, self.embedder).items():
            setattr(self, name, value)

    def close(self) -> None:
        """Let everything go."""
        self.begin()
        for connected in (self.embedder, self.model):
            if isinstance(connected, Embedder | StructuredModel):
                connected.close()

    def new_index(self) -> ItemIndex:
        """An empty index of the kind that `index` says."""
        return WordIndex() if self.embedder is None else VectorIndex(self.embedder)

    def add(self, segment: Segment, text: str = "", *, kind: str = "", key: str = "") -> StoredItem:
        """Store a text that comes from a segment; the segment's own words where none is given."""
        text = text or segment.text
        return self.store.add(StoredItem("", text, segment.sources, segment.time, key, kind))


class _NoModel:
    """Stands where no model is needed; asking it is a mistake of the system."""

    def __init__(self) -> None:
        self.counts = ReplyCounts()

    def ask(self, instruction: str, text: str, form: type) -> None:
        raise AssertionError("the card of this system names no memory model for these parameters")


NO_MODEL = _NoModel()


def save(file: Path, state: Mapping[str, object], embedder: Embedder | None) -> None:
    """Write attributes by name, without the connection to the embedder that they hold."""
    with file.open("wb") as opened:
        _Pickler(opened, embedder).dump(dict(state))


def load(file: Path, embedder: Embedder | None) -> dict[str, object]:
    """Read what `save` wrote, with this connection in place of the former."""
    state: dict[str, object] = _Unpickler(file.read_bytes(), embedder).load()
    return state


class _Pickler(pickle.Pickler):
    """Leaves the embedder out: it is a connection, not a memory."""

    def __init__(self, file: object, embedder: Embedder | None) -> None:
        super().__init__(file, protocol=5)  # type: ignore[arg-type]
        self.embedder = embedder

    def persistent_id(self, value: object) -> str | None:
        return "embedder" if isinstance(value, Embedder) else None


class _Unpickler(pickle.Unpickler):
    """Puts the embedder back."""

    def __init__(self, content: bytes, embedder: Embedder | None) -> None:
        super().__init__(BytesIO(content))
        self.embedder = embedder

    def persistent_load(self, name: object) -> Embedder | None:
        return self.embedder
