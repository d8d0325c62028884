"""A database with four methods over rows is a memory system of turns."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from membench.adapters.environment.worker.models import Vector
from membench.adapters.environment.worker.turn_store import Found, Row, TurnStore
from membench.domain.case import CaseInfo, Item, Session, Turn
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.testing.histories import session
from membench.testing.scripted import ScriptedServer
from membench.tokens import count_tokens

WIDTH = 64


class Lists(TurnStore):
    """Keeps rows in a list, newest first, and compares by scalar products."""

    def open(self, width: int) -> None:
        self.width = width
        self.kept: list[tuple[Row, Vector]] = []

    def add(self, rows: Sequence[Row], vectors: Sequence[Vector]) -> None:
        self.kept = [*reversed(list(zip(rows, vectors, strict=True))), *self.kept]

    def search(self, text: str, vector: Vector, k: int) -> list[Found]:
        scored = [
            (row, sum(a * b for a, b in zip(vector, known, strict=True)))
            for row, known in self.kept
        ]
        return sorted(scored, key=lambda found: -found[1])[:k]

    def rows(self) -> list[Row]:
        return [row for row, _ in self.kept]


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    with ScriptedServer(width=WIDTH) as running:
        yield running


@pytest.fixture
def store(server: ScriptedServer, tmp_path: Path) -> Lists:
    models = {Role.EMBEDDER: ModelEndpoint(server.base_url, "key", "scripted")}
    opened = Lists(SystemContext({}, 0, tmp_path, count_tokens, models))
    opened.reset(CaseInfo("case", "test", ("Ines", "Tom")))
    return opened


TALK = (("Ines", "I keep eleven bee hives."), ("Tom", "My flight lands at noon."))


def test_a_turn_comes_back_with_its_source_its_date_and_the_id_it_was_added_under(store: Lists):
    given = session("case", 0, TALK)
    (added, _) = store.ingest(given)
    (found, *_) = store.recall(Query("How many bee hives does Ines keep?", 1))
    assert found.text == given.turns[0].text
    assert found.sources == (given.turns[0].id,)
    assert found.time == given.time
    assert found.id == added.memory.id
    assert found.score is not None


def test_the_store_is_told_the_width_of_the_embedder(store: Lists):
    assert store.width == WIDTH


def test_memories_are_listed_in_the_order_of_the_history(store: Lists):
    sessions = [session("case", index, TALK) for index in range(3)]
    for given in sessions:
        store.ingest(given)
    turns = [turn.id for given in sessions for turn in given.turns]
    assert [memory.sources[0] for memory in store.memories()] == turns
    assert [memory.id for memory in store.memories()] == [str(n) for n in range(6)]


def test_a_turn_without_words_is_not_stored_and_not_embedded(store: Lists):
    silent = Turn("t1", "Ines", "user", " ", " ")
    assert store.ingest(Session("s", 0, (silent,))) == []
    assert store.recall(Query("anything?", 5)) == []


def test_an_undated_turn_stays_undated(store: Lists):
    store.ingest(Session("s", 0, (Turn("t1", "Ines", "user", "Hello", "Ines: Hello"),)))
    assert store.memories()[0].time is None


def test_an_item_is_its_own_source(store: Lists):
    store.remember(Item("i1", "Ines is allergic to walnuts."))
    assert store.recall(Query("walnuts", 5))[0].sources == ("i1",)


def test_without_a_bound_every_row_is_asked_for(store: Lists):
    store.ingest(session("case", 0, TALK))
    assert len(store.recall(Query("noon"))) == 2


def test_a_long_session_is_embedded_in_calls_of_64_texts_in_order(store: Lists, server):
    turns = tuple(Turn(f"t{n}", "Tom", "user", f"word{n}", f"Tom: word{n}") for n in range(130))
    server.requests.clear()
    store.ingest(Session("s", 0, turns))
    assert [len(request.body["input"]) for request in server.requests] == [64, 64, 2]
    assert store.recall(Query("Tom: word129", 1))[0].sources == ("t129",)


def test_a_text_beyond_the_limit_of_endpoints_is_cut_for_its_vector_and_kept_whole(
    store: Lists, server
):
    server.requests.clear()
    store.remember(Item("long", "bees " * 10_000))
    assert len(server.requests[0].body["input"][0]) == 24_000
    assert len(store.memories()[0].text) == 50_000
