"""The list of costs: how each is read from a summary and from records."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from records.summaries import summary_of

from membench.domain.errors import UnknownName
from membench.records.costs import (
    COSTS,
    FORMER_IDS,
    MAIN_COSTS,
    PER,
    CaseCosts,
    cost_named,
    name_of,
    phase_cost,
    record_cost,
    stage_cost,
)

PAGE = Path(__file__).parents[2] / "docs/method/costs.md"


def record(phase: str, event: int = 0, attempt: int = 1, **telemetry: Any) -> dict[str, Any]:
    return {
        "case": "opaque",
        "event": event,
        "phase": phase,
        "attempt": attempt,
        "telemetry": telemetry,
    }


def spent(*records: dict[str, Any], asked: set[tuple[str, int]] | None = None) -> Any:
    costs = CaseCosts({"opaque": "official"}, asked or {("official", 0), ("official", 1)})
    costs.add(records)
    return costs.totals()


def test_every_name_leads_back_to_its_cost() -> None:
    for part in PER:
        for cost in COSTS.values():
            assert cost_named(name_of(part, cost)) == (part, cost)


def test_links_with_a_former_id_still_lead_to_the_cost() -> None:
    for former, now in FORMER_IDS.items():
        assert cost_named(former)[1] is COSTS[now]


@pytest.mark.parametrize("name", ["token", "judge.tokens", "recall.", "", "a.b.tokens"])
def test_another_name_is_refused(name: str) -> None:
    with pytest.raises(UnknownName):
        cost_named(name)


def test_units_and_titles_tell_all_costs_apart() -> None:
    assert len({cost.unit for cost in COSTS.values()}) == len(COSTS)
    assert len({cost.title for cost in COSTS.values()}) == len(COSTS)
    assert {cost.part_of for cost in COSTS.values()} - {""} <= {cost.id for cost in MAIN_COSTS}


def test_the_page_lists_every_cost_with_its_unit_and_meaning() -> None:
    page = PAGE.read_text()
    for cost in COSTS.values():
        assert f"| `{cost.id}` | {cost.unit} | {cost.meaning}" in page


def test_cpu_of_an_embedder_on_this_machine_belongs_to_the_record() -> None:
    line = record("recall", cpu_s=0.5, usage={"cpu_s": 0.25})
    assert record_cost(line, COSTS["cpu_s"]) == 0.75


def test_a_record_without_calls_used_no_model_and_that_is_known() -> None:
    assert record_cost(record("answer"), COSTS["tokens"]) == 0
    assert record_cost(record("answer"), COSTS["usd"]) == 0
    unpriced = record("answer", usage={"prompt_tokens": 5, "usd": None})
    assert record_cost(unpriced, COSTS["usd"]) is None
    assert record_cost(unpriced, COSTS["tokens"]) == 5


def test_context_is_no_token_of_a_model() -> None:
    line = record("recall", context_tokens=40, usage={"embedding_tokens": 7, "usd": 0.0})
    assert record_cost(line, COSTS["context_tokens"]) == 40
    assert record_cost(line, COSTS["tokens"]) == 7


def test_an_abandoned_attempt_and_a_replaced_record_count_nothing() -> None:
    found = spent(
        record("recall", context_tokens=999),
        record("recall", attempt=2, context_tokens=10),
        record("answer", attempt=1, cpu_s=9.0),
        record("answer", attempt=2, cpu_s=5.0),
        record("answer", attempt=2, cpu_s=1.0),
    )
    assert found["recall.context_tokens"] == {"official": 10}
    assert found["answer.cpu_s"] == {"official": 1.0}


def test_an_interrupted_attempt_after_a_complete_one_counts_nothing() -> None:
    """The answers and the summary come from the complete one, and so do the costs by case."""
    found = spent(
        record("ingest", 0, cpu_s=1.0),
        record("recall", 1, cpu_s=2.0),
        record("ingest", 0, attempt=2, cpu_s=5.0),
        record("answer", 1, cpu_s=4.0),
    )
    assert found["ingest.cpu_s"] == {"official": 1.0}
    assert found["recall.cpu_s"] == {"official": 2.0}
    assert found["answer.cpu_s"] == {"official": 4.0}


def test_what_a_probe_recalled_is_no_context_of_a_question() -> None:
    records = [record("recall", event, context_tokens=10, cpu_s=1.0) for event in range(3)]
    found = spent(*records)
    assert found["recall.context_tokens"] == {"official": 20}
    assert found["recall.cpu_s"] == {"official": 3.0}


def test_a_price_unknown_for_one_record_is_unknown_for_the_phase() -> None:
    known, unknown = ({"prompt_tokens": 1, "usd": usd} for usd in (1.0, None))
    found = spent(record("answer", 0, usage=known), record("answer", 1, usage=unknown))
    assert "answer.usd" not in found
    assert found["answer.tokens"] == {"official": 2}


SUMMARY = summary_of(
    counts={"cases": 1, "questions": 2},
    time_s={"recall": {"total": 3.0}, "answer": {"total": 1.0}},
    cpu_s={"recall": 2.0, "answer": 0.5},
    usage={"recall": {"usd": 1.0}, "answer": {"usd": None}},
    energy={"phases": {"recall": {"joules": 8.0, "provenance": "measured"}}},
)


def test_a_stage_is_unknown_where_one_of_its_phases_is() -> None:
    for name in ("usd", "joules", "context_tokens"):
        assert stage_cost(SUMMARY, COSTS[name], "question") is None
    assert stage_cost(SUMMARY, COSTS["joules"], "recall") == 8.0
    assert stage_cost(SUMMARY, COSTS["seconds"], "question") == 4.0


def test_a_phase_that_did_not_run_has_no_cost() -> None:
    assert all(phase_cost(SUMMARY, cost, "ingest") is None for cost in COSTS.values())
    assert all(stage_cost(SUMMARY, cost, "setup") is None for cost in COSTS.values())
