"""A cross-encoder orders what another system recalls; the model behind it is scripted."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from native import playing, talk

from membench.adapters.registry import get_card
from membench.domain.errors import ProviderFault, Reason, UsageError
from membench.domain.system import Memory, Query
from membench.harness.divisions import division_of
from membench.harness.prepare import check_roles
from membench.llm.upstreams.scripted import ReplyRule, Request
from membench.llm.upstreams.scripted.rules import Scores
from membench.records.spec import RunSpec

LINES = ("tea with Ines", "tea with Olga at the harbour", "tea again", "more tea", "jam")
DAY = "2024-01-01T09:00"


def rates(*words: str) -> list[ReplyRule]:
    """A cross-encoder that counts some words."""

    def reply(request: Request) -> Scores:
        return Scores([sum(word in text for word in words) for text in request.body["documents"]])

    return [ReplyRule(lambda request: request.endpoint == "rerank", reply)]


def replies(scores: Sequence[float]) -> list[ReplyRule]:
    """Always the same scores."""
    return [ReplyRule(lambda request: request.endpoint == "rerank", Scores(scores))]


def sent(server: Any) -> list[Any]:
    """Bodies of the rerank calls."""
    return [request.body for request in server.requests if request.endpoint == "rerank"]


def test_a_memory_that_the_first_stage_ranks_below_k_is_found(tmp_path: Path) -> None:
    query = Query("Who drank tea?", 1)
    with playing("cross-encoder", tmp_path, rules=rates("harbour")) as (system, server):
        system.ingest(talk(0, *LINES, day=DAY))
        (found,) = system.recall(query)
        assert found.sources == ("s0:1",)
        assert found.score == 1.0
        (body,) = sent(server)
        assert body["query"] == query.text
        assert len(body["documents"]) > 1
    with playing("bm25", tmp_path) as (plain, _):
        plain.ingest(talk(0, *LINES, day=DAY))
        assert plain.recall(query)[0].sources != ("s0:1",)


def test_equal_scores_keep_the_order_of_the_first_stage(tmp_path: Path) -> None:
    query = Query("tea with Ines", 5)
    with playing("cross-encoder", tmp_path, rules=rates("no such word")) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        inner = [memory.sources for memory in system.inner.recall(query)]
        assert [memory.sources for memory in system.recall(query)] == inner


def test_the_budget_is_kept_after_reranking(tmp_path: Path) -> None:
    with playing("cross-encoder", tmp_path, rules=rates("harbour")) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        found = system.recall(Query("tea", 5, token_budget=12))
        assert found[0].sources == ("s0:1",)
        assert sum(system.count_tokens(memory.text) for memory in found) <= 12


def test_candidates_are_bounded_and_long_texts_cut(tmp_path: Path) -> None:
    long = "tea " * 400
    with playing("cross-encoder", tmp_path, candidates=2, max_tokens=16) as (system, server):
        system.ingest(talk(0, long, *LINES, day=DAY))
        system.recall(Query("tea", 1))
        (body,) = sent(server)
        assert len(body["documents"]) == 2
        assert all(system.count_tokens(text) <= 16 for text in body["documents"])


def test_a_blank_memory_is_not_sent_and_comes_last_without_a_score(tmp_path: Path) -> None:
    with playing("cross-encoder", tmp_path, inner="recent") as (system, server):
        system.inner.recall = lambda _: [Memory(" "), Memory("Ann: tea")]
        found = system.recall(Query("Who drank tea?", 5))
    assert [memory.text for memory in found] == ["Ann: tea", " "]
    assert found[1].score is None
    assert [body["documents"] for body in sent(server)] == [["Ann: tea"]]


def test_an_empty_store_asks_nothing(tmp_path: Path) -> None:
    with playing("cross-encoder", tmp_path) as (system, server):
        assert system.recall(Query("tea", 5)) == []
        assert sent(server) == []


@pytest.mark.parametrize("scores", [[1.0], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]])
def test_scores_that_are_not_one_per_text_are_a_fault(tmp_path: Path, scores: list[float]) -> None:
    with playing("cross-encoder", tmp_path, rules=replies(scores)) as (system, _):
        system.ingest(talk(0, *LINES, day=DAY))
        with pytest.raises(ProviderFault) as fault:
            system.recall(Query("tea", 5))
        assert fault.value.reason == Reason.PROVIDER_BAD_REPLY


def test_a_run_without_a_reranker_is_told_the_flag() -> None:

    with pytest.raises(UsageError) as refused:
        check_roles(RunSpec("cross-encoder", "synthetic"), get_card("cross-encoder"))
    assert "the role 'reranker'" in refused.value.problem
    assert "--reranker PROVIDER/NAME" in refused.value.remedy


def test_specs_without_a_reranker_keep_the_hash_they_had_before_there_was_one() -> None:
    spec = RunSpec("bm25", "locomo")
    assert "reranker" not in spec.to_json()
    named = RunSpec("cross-encoder", "locomo", reranker="jina_ai/jina-reranker-v2")
    assert RunSpec.from_json(named.to_json()) == named
    assert named.sha256 != RunSpec("cross-encoder", "locomo").sha256


def test_a_run_with_a_reranker_is_not_offline() -> None:
    assert division_of(RunSpec("bm25", "locomo")) == "offline"
    assert division_of(RunSpec("cross-encoder", "locomo", reranker="cohere/rerank-v3.5")) == "open"
