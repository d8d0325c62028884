"""Every native system that calls models conforms, in each of its modes."""

from typing import Any

import pytest

from membench.adapters.configured import configured_card
from membench.adapters.registry import checked_parameters, get_card
from membench.domain.system import ModelEndpoint
from membench.testing.conformance import check
from membench.testing.scripted import ScriptedServer

MODES: list[tuple[str, dict[str, Any]]] = [
    ("a-mem", {}),
    ("engram", {}),
    ("gam", {}),
    ("hema", {}),
    ("hema", {"summary": False}),
    ("light", {}),
    ("lightmem-native", {}),
    ("lightmem-native", {"extract": "none"}),
    ("memorybank", {}),
    ("memorybank", {"summaries": False, "index": "bm25", "forgetting": False}),
    ("memoryos-native", {}),
    ("structural-memory", {}),
    ("structural-memory", {"units": "mixed", "retrieval": "iterative"}),
    ("structural-memory", {"units": "facts", "retrieval": "rerank"}),
    ("exprag", {}),
    ("memento", {"feedback_text": True}),
    ("remem", {}),
    ("reme-native", {}),
    ("arcmemo", {}),
    ("arcmemo", {"format": "routine"}),
    ("g-memory", {}),
    ("session-summaries", {}),
    ("block-extraction", {}),
    ("file-agent", {}),
    ("memr3", {}),
    ("aeon", {}),
    ("aeon", {"index": "bm25"}),
    ("unifiedmem", {}),
    ("unifiedmem", {"keys": "none", "index": "bm25"}),
    ("unifiedmem", {"keys": "graph"}),
    ("unifiedmem", {"keys": "agentic"}),
    ("keep-me-updated", {}),
    ("think-in-memory", {}),
    ("think-in-memory", {"extract": "none"}),
    ("caim", {}),
    ("sedm", {}),
    ("magma", {}),
    ("magma", {"infer": False, "intent": "words", "index": "bm25"}),
    ("memgpt", {}),
    ("memgpt", {"index": "bm25", "window": 200}),
    ("hgmem", {}),
    ("mem-alpha", {}),
    ("mem-alpha", {"index": "dense"}),
    ("mem-t", {}),
    ("atommem", {}),
    ("atommem", {"index": "bm25", "chunk_characters": 80}),
    ("mem1", {}),
    ("cross-encoder", {}),
    ("need-gate", {}),
    ("need-gate", {"inner": "hema"}),
    ("steem", {}),
    ("budgetmem", {}),
    ("budgetmem", {"tier": "mid", "inner": "bm25"}),
    ("budgetmem", {"tier": "reflect", "inner": "bm25"}),
    ("a-memguard", {}),
    ("a-memguard", {"check": "cluster", "chain": "memory"}),
    ("a-memguard", {"inner": "structural-memory"}),
    ("memr3", {"inner": "memorybank", "inner_set": "summaries=false"}),
]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "given"), MODES, ids=[f"{n} {g}" for n, g in MODES])
def test_a_system_keeps_every_promise_in_each_of_its_modes(
    name: str, given: dict[str, Any]
) -> None:
    card = get_card(name)
    roles = configured_card(card, checked_parameters(card, given)).roles
    with ScriptedServer() as server:
        models = {role: ModelEndpoint(server.base_url, "key", "scripted") for role in roles}
        results = check(card, parameters=given, models=models, huge_turns=60)
    assert [result for result in results if result.status == "failed"] == []
