"""The item store: what most memory systems keep, with ids, sources, times, links and an index.

Every change is noted, so that a system can say what an ingestion did to its store. New items are
indexed together when something is searched for, or by `flush`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, Protocol

import numpy as np

from membench.adapters.parts.embedder import Embedder, Vectors
from membench.adapters.parts.lexical import Lexical
from membench.adapters.parts.unit_memory import RankedRows, Scores
from membench.adapters.parts.vectors import Mask, VectorMatrix, best
from membench.domain.case import Session
from membench.domain.system import Memory, MemoryChange


@dataclass(frozen=True, slots=True)
class StoredItem:
    """One item.

    Attributes:
        id: Unique in its store and never used again.
        text: What a reader is shown.
        sources: The turns it came from.
        time: Dataset time.
        key: What is indexed; the text where empty.
        kind: Which bank it belongs to.
        tags, links: Words, and ids of other items.
        strength, visits, used: How often and when it was last of use, for systems that count it.
    """

    id: str
    text: str
    sources: tuple[str, ...] = ()
    time: datetime | None = None
    key: str = ""
    kind: str = ""
    tags: tuple[str, ...] = ()
    links: tuple[str, ...] = ()
    strength: float = 1.0
    visits: int = 0
    used: datetime | None = None

    @property
    def indexed(self) -> str:
        """What is matched against a query."""
        return self.key or self.text

    def memory(self, score: float | None = None) -> Memory:
        """The item as a memory."""
        return Memory(self.text, self.sources, self.time, score, self.id)


class Sourced(Protocol):
    """What comes from turns."""

    @property
    def sources(self) -> tuple[str, ...]:
        """Ids of the turns."""


def sources_of(*told: Sourced) -> tuple[str, ...]:
    """The turns of all of these, each once, in order."""
    return tuple(dict.fromkeys(source for each in told for source in each.sources))


@dataclass(frozen=True, slots=True)
class Found:
    """An item and how well it matches."""

    item: StoredItem
    score: float

    @property
    def memory(self) -> Memory:
        """The item as a memory with this score."""
        return self.item.memory(self.score)


class ItemIndex(Protocol):
    """Rows of text, numbered as added."""

    @property
    def size_bytes(self) -> int:
        """Bytes held."""

    def add(self, texts: Sequence[str]) -> None:
        """Append rows."""

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows only, numbered anew in the order given."""

    def scores(self, query: str) -> Scores:
        """One score per row, shape (rows,)."""

    def likeness(self, row: int) -> Scores:
        """How like every row is to one of them, that one 1, shape (rows,)."""


class VectorIndex:
    """Rows as embeddings, scored by cosine similarity."""

    def __init__(self, embedder: Embedder) -> None:
        """Start without rows."""
        self.embedder = embedder
        self.matrix = VectorMatrix()
        self._asked: tuple[str, Vectors] | None = None

    @property
    def size_bytes(self) -> int:
        """Bytes of the vectors."""
        return self.matrix.size_bytes

    def add(self, texts: Sequence[str]) -> None:
        """Embed and append rows."""
        self.matrix.add(self.embedder.embed(texts))

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows only."""
        self.matrix.keep(rows)

    def scores(self, query: str) -> Scores:
        """Similarity of every row; nothing is like a blank query.

        The last query's vector is kept: several banks are searched for one question.
        """
        if not query.strip():
            return np.zeros(self.matrix.size)
        return self.matrix.scores(self.query_vector(query))

    def query_vector(self, query: str) -> Vectors:
        """The embedding of a query, shape (width,)."""
        if self._asked is None or self._asked[0] != query:
            self._asked = (query, self.embedder.embed([query])[0])
        return self._asked[1]

    def likeness(self, row: int) -> Scores:
        """Similarity of every row to one of them."""
        return self.matrix.likeness(row)


class WordIndex:
    """Rows as stems of words, scored by BM25."""

    def __init__(self) -> None:
        """Start without rows."""
        self.texts: list[str] = []
        self.lexical = Lexical("stem", "okapi")

    @property
    def size_bytes(self) -> int:
        """Bytes of the indexed texts."""
        return sum(len(text.encode(errors="replace")) for text in self.texts)

    def add(self, texts: Sequence[str]) -> None:
        """Append rows."""
        self.texts += texts
        self.lexical.add(texts)

    def keep(self, rows: Sequence[int]) -> None:
        """Keep these rows only; counted anew."""
        kept = [self.texts[row] for row in rows]
        self.texts, self.lexical = [], Lexical("stem", "okapi")
        self.add(kept)

    def scores(self, query: str) -> Scores:
        """One score per row."""
        if not self.texts:
            return np.zeros(0)
        return self.lexical.index.scores(self.lexical.tokenize(query))

    def likeness(self, row: int) -> Scores:
        """BM25 of every row for the words of one, as a share of its own."""
        found = self.scores(self.texts[row])
        return found / found[row] if found[row] > 0 else np.zeros(len(self.texts))


class ItemStore:
    """Items by id, in the order they were added, with an index over their keys.

    Ids are numbers that count what was stored.

    Args:
        index: Without rows.
    """

    def __init__(self, index: ItemIndex) -> None:
        """Start empty."""
        self.index = index
        self.changes: list[MemoryChange] = []
        self._items: dict[str, StoredItem] = {}
        self._ids: list[str] = []  # by row of the index
        self._row_of: dict[str, int] = {}
        self._alive = bytearray()  # by row: whether its item is still there, with this key
        self._kind_of = bytearray()  # by row: number of its kind
        self._kinds: dict[str, int] = {}
        self._waiting: list[str] = []  # ids to be indexed
        self._next = 0
        self._said: dict[str, tuple[str, ...]] = {}  # words of turns -> their ids

    def __len__(self) -> int:
        """How many items there are."""
        return len(self._items)

    def __iter__(self) -> Iterator[StoredItem]:
        """The items in the order they were added."""
        return iter(list(self._items.values()))

    def of_kind(self, kind: str) -> list[StoredItem]:
        """The items of a bank in the order they were added."""
        return [item for item in self._items.values() if item.kind == kind]

    def get(self, name: str) -> StoredItem | None:
        """The item of an id."""
        return self._items.get(name)

    def hear(self, session: Session) -> None:
        """Note the words of a session's turns: a model copies them from anywhere in its prompt.

        An item that repeats a turn word for word and names others as its sources is of that turn.
        """
        for turn in session.turns:
            self._said[turn.text] = (*self._said.get(turn.text, ()), turn.id)

    def _of_its_turn(self, item: StoredItem) -> StoredItem:
        turns = self._said.get(item.text, ())
        if not item.sources or not turns or not set(turns).isdisjoint(item.sources):
            return item
        return replace(item, sources=turns)

    def add(self, item: StoredItem) -> StoredItem:
        """Store an item under a new id; what its own says is ignored.

        A blank one is not stored: it could not be recalled.
        """
        item = self._of_its_turn(replace(item, id=str(self._next)))
        self._next += 1
        if item.text.strip():
            self._items[item.id] = item
            self._waiting.append(item.id)
            self._note("add", item)
        return item

    def put(self, item: StoredItem) -> None:
        """Replace the item of the same id; it is indexed anew if its key is another."""
        before, item = self._items[item.id], self._of_its_turn(item)
        self._items[item.id] = item
        if before.indexed != item.indexed:
            self._drop_row(item.id)
            self._waiting.append(item.id)
        if before.memory() != item.memory():
            self._note("update", item)

    def remove(self, name: str) -> None:
        """Delete an item."""
        item = self._items.pop(name)
        self._drop_row(name)
        self._note("delete", item)

    def join(self, group: Sequence[StoredItem], kept: StoredItem) -> StoredItem:
        """One item in place of several: the others go, and it has the sources of all."""
        for item in group:
            if item.id != kept.id:
                self.remove(item.id)
        one = replace(kept, sources=sources_of(*group))
        self.put(one)
        return one

    def keep_newest(self, kind: str, most: int) -> None:
        """Remove the oldest items of a bank, so that no more than so many are left."""
        held = self.of_kind(kind)
        for item in held[: max(len(held) - most, 0)]:
            self.remove(item.id)

    def take_changes(self) -> list[MemoryChange]:
        """What changed since the last call, in order."""
        taken, self.changes = self.changes, []
        return taken

    def memories(self) -> list[Memory]:
        """Every item, oldest first."""
        return [item.memory() for item in self]

    @property
    def size_bytes(self) -> int:
        """Bytes of the texts, keys and the index."""
        texts = sum(len((i.text + i.key).encode(errors="replace")) for i in self._items.values())
        return texts + self.index.size_bytes

    def flush(self) -> None:
        """Index what was added; called before every search."""
        waiting = [name for name in dict.fromkeys(self._waiting) if name in self._items]
        self._waiting = []
        if waiting:
            self.index.add([self._items[name].indexed for name in waiting])
            self._row_of |= {name: len(self._ids) + n for n, name in enumerate(waiting)}
            self._ids += waiting
            self._alive += b"\1" * len(waiting)
            kinds = (self._items[name].kind for name in waiting)
            self._kind_of += bytes(self._kinds.setdefault(k, len(self._kinds)) for k in kinds)
        if len(self._ids) > 2 * len(self._items) + 16:
            self._compact()

    def search(
        self,
        query: str,
        k: int | None,
        *,
        kinds: Collection[str] | None = None,
        without: Collection[str] = (),
    ) -> list[Found]:
        """The k best items, best first, ties in the order they were added.

        Args:
            query: Words.
            k: How many at most; None for all.
            kinds: Only these banks.
            without: Ids to leave out.
        """
        self.flush()
        allowed = self._allowed(kinds, without)
        if not allowed.any() or k == 0:
            return []
        return self._found(best(self.index.scores(query), k, allowed))

    def nearest(self, name: str, k: int, *, kinds: Collection[str] | None = None) -> list[Found]:
        """The k items most like one of them, best first; nothing is asked of a model for it."""
        self.flush()
        allowed = self._allowed(kinds, [name])
        if name not in self._row_of or not allowed.any():
            return []
        return self._found(best(self.index.likeness(self._row_of[name]), k, allowed))

    def vector(self, name: str) -> Vectors | None:
        """The embedding of an item's key, shape (width,); None without one."""
        self.flush()
        if not isinstance(self.index, VectorIndex) or name not in self._row_of:
            return None
        found: Vectors = self.index.matrix.rows[self._row_of[name]]
        return found

    def _allowed(self, kinds: Collection[str] | None, without: Collection[str]) -> Mask:
        allowed = np.frombuffer(self._alive, bool).copy()
        if kinds is not None:
            wanted = [self._kinds[kind] for kind in kinds if kind in self._kinds]
            allowed &= np.isin(np.frombuffer(self._kind_of, np.uint8), wanted)
        rows = [self._row_of[name] for name in without if name in self._row_of]
        allowed[np.array(rows, np.intp)] = False
        return allowed

    def _found(self, ranking: RankedRows) -> list[Found]:
        return [
            Found(self._items[self._ids[row]], float(score))
            for row, score in zip(ranking.rows, ranking.scores, strict=True)
        ]

    def _drop_row(self, name: str) -> None:
        row = self._row_of.pop(name, None)
        if row is not None:
            self._alive[row] = 0

    def _compact(self) -> None:
        """Leave dead rows of the index behind."""
        alive = [row for row, living in enumerate(self._alive) if living]
        self.index.keep(alive)
        self._ids = [self._ids[row] for row in alive]
        self._kind_of = bytearray(self._kind_of[row] for row in alive)
        self._alive = bytearray(b"\1" * len(alive))
        self._row_of = {name: row for row, name in enumerate(self._ids)}

    def _note(self, kind: Literal["add", "update", "delete"], item: StoredItem) -> None:
        self.changes.append(MemoryChange(kind, item.memory()))
