"""Dense and hybrid retrieval, and the embedder they call over HTTP."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from embedding_server import EmbeddingServer, bag, embedding_server
from histories import CASE, item, session
from hypothesis import given
from hypothesis import strategies as st

from membench.adapters.parts.budget import head
from membench.adapters.parts.embedder import Embedder
from membench.adapters.parts.fusion import Fusion
from membench.adapters.parts.lexical import Lexical
from membench.adapters.registry import checked_parameters, create, get_card
from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.labels import Role
from membench.domain.system import ModelEndpoint, Query, SystemContext
from membench.testing.conformance import render, run_conformance
from membench.tokens import count_tokens


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with embedding_server() as running:
        yield running


def endpoint(server: EmbeddingServer, dimensions: int | None = None) -> ModelEndpoint:
    return ModelEndpoint(server.base_url, "lane-key", "words", dimensions)


def context(server: EmbeddingServer, dimensions: int | None = None) -> SystemContext:
    models = {Role.EMBEDDER: endpoint(server, dimensions)}
    return SystemContext({}, 0, Path(), count_tokens, models)


@pytest.fixture
def embedder(server: EmbeddingServer) -> Iterator[Embedder]:
    made = Embedder(context(server), batch_size=3, max_tokens=50)
    yield made
    made.close()


@pytest.fixture
def make(server: EmbeddingServer, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    made: list[Any] = []

    def system(name: str, **given: Any) -> Any:
        card = get_card(name)
        parameters = checked_parameters(card, given)
        models = {Role.EMBEDDER: endpoint(server)}
        made.append(create(card, SystemContext(parameters, 0, tmp_path, count_tokens, models)))
        made[-1].reset(CASE)
        return made[-1]

    yield system
    for one in made:
        one.close()


def test_vectors_are_unit_in_the_order_of_the_texts(embedder: Embedder) -> None:
    texts = ["one cat", "two cats sat", "three", "four four"]
    vectors = embedder.embed(texts)
    expected = np.array([bag(text) / np.linalg.norm(bag(text)) for text in texts])
    np.testing.assert_allclose(vectors, expected, rtol=1e-6)


def test_texts_go_in_batches_over_one_connection_with_the_lanes_key(
    server: EmbeddingServer, embedder: Embedder
) -> None:
    embedder.embed(["a", "b", "c", "d"])
    embedder.embed(["e"])
    assert [request["input"] for request in server.requests] == [["a", "b", "c"], ["d"], ["e"]]
    assert {(request["path"], request["model"]) for request in server.requests} == {
        ("/v1/embeddings", "words")
    }
    assert set(server.keys) == {"Bearer lane-key"}
    assert server.connections == 1


def test_blank_texts_are_never_sent(server: EmbeddingServer, embedder: Embedder) -> None:
    assert embedder.embed([" ", ""]).shape == (2, 0)
    vectors = embedder.embed(["", "cat"])
    assert vectors[0].tolist() == [0.0] * 64
    assert [request["input"] for request in server.requests] == [["cat"]]


def test_long_texts_are_cut_to_their_head(server: EmbeddingServer, embedder: Embedder) -> None:
    embedder.embed(["word " * 200])
    (sent,) = server.requests[0]["input"]
    assert sent.startswith("word word")
    assert count_tokens(sent) == 50


@given(st.text(max_size=40), st.integers(0, 20))
def test_a_head_is_a_prefix_that_fits(text: str, tokens: int) -> None:
    def bytes_of(part: str) -> int:
        return len(part.encode("utf-8", "surrogatepass"))

    kept = head(text, tokens, bytes_of)
    assert text.startswith(kept)
    assert bytes_of(kept) <= tokens
    assert kept == text or bytes_of(text[: len(kept) + 1]) > tokens


def test_endpoints_that_ignore_base64_are_understood(
    server: EmbeddingServer, embedder: Embedder
) -> None:
    encoded = embedder.embed(["a cat", "a dog"])
    server.plain = True
    np.testing.assert_array_equal(embedder.embed(["a cat", "a dog"]), encoded)


def test_the_runs_dimensions_are_asked_for(server: EmbeddingServer) -> None:
    embedder = Embedder(context(server, 16), 8, 50)
    assert embedder.embed(["a"]).shape == (1, 16)
    embedder.close()


def test_a_kept_connection_that_was_closed_is_opened_again(
    server: EmbeddingServer, embedder: Embedder
) -> None:
    server.hang_up = True
    for _ in range(3):
        assert embedder.embed(["a"]).shape == (1, 64)
    assert server.connections == 3


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ((429, b"slow down"), Reason.PROVIDER_RATE_LIMIT),
        ((504, b""), Reason.PROVIDER_TIMEOUT),
        ((500, b"oops"), Reason.PROVIDER_ERROR),
        ((200, b"not json"), Reason.PROVIDER_BAD_REPLY),
        ((200, b'{"data": []}'), Reason.PROVIDER_BAD_REPLY),
        ((200, b'{"data": [{"index": 0, "embedding": null}]}'), Reason.PROVIDER_BAD_REPLY),
        ((200, b'{"data": [{"index": 0, "embedding": "!"}]}'), Reason.PROVIDER_BAD_REPLY),
    ],
)
def test_a_failing_endpoint_is_a_typed_fault(
    server: EmbeddingServer, embedder: Embedder, reply: tuple[int, bytes], reason: Reason
) -> None:
    server.next_reply = reply
    with pytest.raises(ProviderFault) as caught:
        embedder.embed(["a"])
    assert caught.value.reason == reason
    assert "lane-key" not in str(caught.value)


def test_an_endpoint_that_is_not_there_is_a_typed_fault() -> None:
    models = {Role.EMBEDDER: ModelEndpoint("http://127.0.0.1:9/v1", "key", "m")}
    embedder = Embedder(SystemContext({}, 0, Path(), count_tokens, models), 8, 50)
    with pytest.raises(ProviderFault) as caught:
        embedder.embed(["a"])
    assert caught.value.reason == Reason.PROVIDER_ERROR


def test_without_an_embedder_the_message_names_the_option() -> None:
    with pytest.raises(UsageError, match="--embedder"):
        Embedder(SystemContext({}, 0, Path(), count_tokens), 8, 50)


def test_dense_ranks_by_similarity_and_equal_texts_by_history(make: Callable[..., Any]) -> None:
    dense = make("dense")
    dense.ingest(session(0, ["the cat sat", "same words", "a boat", "same words"]))
    dense.ingest(session(1, ["same words here"]))
    assert dense.recall(Query("cat sat the", 1))[0].sources == ("s0:0",)
    ranked = [memory.sources[0] for memory in dense.recall(Query("same words", 3))]
    assert ranked == ["s0:1", "s0:3", "s1:0"]
    assert dense.recall(Query("same words", 1))[0].score == 1.0


def test_dense_embeds_what_it_stores_when_it_is_stored(
    server: EmbeddingServer, make: Callable[..., Any]
) -> None:
    dense = make("dense", batch_size=2)
    dense.ingest(session(0, ["one", "two", "three"]))
    assert [request["input"] for request in server.requests] == [["one", "two"], ["three"]]
    dense.recall(Query("two"))
    assert [request["input"] for request in server.requests[2:]] == [["two"]]


def test_a_query_prefix_is_for_queries_alone(
    server: EmbeddingServer, make: Callable[..., Any]
) -> None:
    dense = make("dense", query_prefix="query: ")
    dense.remember(item("i", "tea"))
    dense.recall(Query("tea"))
    assert [request["input"] for request in server.requests] == [["tea"], ["query: tea"]]


def test_dense_takes_the_units_that_bm25_takes(make: Callable[..., Any]) -> None:
    dense = make("dense", granularity="session", roles="user", text="dated")
    dense.ingest(session(0, ["one", "two", "three"]))
    assert dense.memories()[0].text == "8 May 2024 13:56: one\nthree"


def test_nothing_is_called_for_an_empty_store_or_a_blank_question(
    server: EmbeddingServer, make: Callable[..., Any]
) -> None:
    dense = make("dense")
    assert dense.recall(Query("anything")) == []
    dense.remember(item("i", "tea"))
    sent = len(server.requests)
    assert [memory.sources for memory in dense.recall(Query(" "))] == [("i",)]
    assert len(server.requests) == sent


def test_hybrid_finds_by_words_and_by_vectors(make: Callable[..., Any]) -> None:
    hybrid = make("hybrid")
    hybrid.ingest(session(0, ["rare zebra", "plain words", "plain zebra words"]))
    assert hybrid.recall(Query("rare zebra", 1))[0].sources == ("s0:0",)
    assert hybrid.recall(Query("rare zebra", 1))[0].score == pytest.approx(2 / 61)


def test_a_row_without_a_word_of_the_query_gets_nothing_from_bm25() -> None:
    fusion = Fusion([Lexical("alnum", "lucene")], constant=60)
    fusion.add(["x", "cat cat", "cat", "y"])
    ranking = fusion.rank("cat")
    assert ranking.rows.tolist() == [1, 2, 0, 3]
    assert ranking.scores.tolist() == [1 / 61, 1 / 62, 0.0, 0.0]


def test_the_gateways_own_reason_is_kept(server: EmbeddingServer, embedder: Embedder) -> None:
    server.next_reply = (409, b"{}")
    server.reason = "cassette_miss"
    with pytest.raises(ProviderFault) as caught:
        embedder.embed(["a"])
    assert caught.value.reason == Reason.CASSETTE_MISS


@pytest.mark.parametrize("name", ["dense", "hybrid"])
def test_both_conform_with_any_endpoint(server: EmbeddingServer, name: str) -> None:
    report = run_conformance(name, models={Role.EMBEDDER: endpoint(server)})
    assert report.passed, render(report)


@pytest.mark.parametrize("name", ["dense", "hybrid"])
def test_both_conform_with_the_scripted_model_server(name: str) -> None:
    report = run_conformance(name)
    assert report.passed, render(report)
