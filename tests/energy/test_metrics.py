"""Joules per question, per token, per correct answer, in kilowatt-hours and in grams of CO2."""

from __future__ import annotations

import math
from typing import Any

import pytest
from records.summaries import summary_of

from membench.domain.errors import UnknownName, UsageError
from membench.domain.labels import Provenance
from membench.energy.attribution.coefficients import model_key, table
from membench.energy.attribution.ledger import attribute
from membench.energy.carbon import carbon, intensities, intensity
from membench.energy.figure import Component, EnergyFigure, unavailable
from membench.energy.reporting.metrics import EnergyMetrics, energy_metrics
from membench.energy.samples import SampleLog, Span, Tokens
from membench.energy.sources.estimate import TokenEstimate
from membench.records.costs import COSTS
from membench.records.lifecycle import Lifecycle, lifecycle_of


def figure(joules: float) -> EnergyFigure:
    return EnergyFigure(joules, Provenance.MEASURED, Component.GPU, "m", u_joules=joules / 20)


def metrics(accuracy: float | None = 0.5) -> EnergyMetrics:
    phases = {
        "ingest": figure(9000),
        "finalize": figure(1000),
        "recall": figure(100),
        "answer": figure(900),
    }
    return energy_metrics(
        phases, cases=10, questions=200, ingested_tokens=50_000, accuracy=accuracy
    )  # fmt: skip


def test_a_question_costs_its_recall_and_answer() -> None:
    assert metrics().per_question.joules == pytest.approx(5.0)
    assert metrics().per_question.provenance is Provenance.MEASURED


def test_ingest_is_told_per_thousand_tokens_and_per_history() -> None:
    assert metrics().per_1k_ingested.joules == pytest.approx(200)
    assert metrics().per_history.joules == pytest.approx(1000)


def test_a_correct_answer_carries_its_share_of_the_setup() -> None:
    assert metrics().lifecycle.at() == pytest.approx(
        {1: 2010.0, 10: 210.0, 100: 30.0, 20: 110.0}
    )  # fmt: skip
    assert metrics().per_correct(10).joules == pytest.approx(210.0)


def test_no_correct_answer_costs_infinitely_much_and_no_score_is_unknown() -> None:
    assert metrics(0.0).lifecycle.per_correct(1) == math.inf
    assert metrics(0.0).per_correct(1).joules is None
    assert metrics(None).lifecycle.per_correct(1) is None


def test_kilowatt_hours_per_thousand_questions() -> None:
    assert metrics().kwh_per_1k_questions == pytest.approx(5 * 1000 / 3.6e6)


def test_an_unavailable_phase_makes_what_needs_it_unavailable_and_no_more() -> None:
    phases = {"ingest": figure(9000), "recall": figure(100), "answer": unavailable("no sensor")}
    found = energy_metrics(phases, cases=1, questions=10, ingested_tokens=1000, accuracy=0.5)
    assert found.per_question.joules is None
    assert found.kwh_per_1k_questions is None
    assert found.per_1k_ingested.joules == pytest.approx(9000)


def test_every_line_names_the_label() -> None:
    for accuracy in (0.5, 0.0, None):
        lines = metrics(accuracy).lines()
        assert all("measured" in line or "unavailable" in line for line in lines)
    assert any("(native)" in line for line in metrics().lines())


def test_break_even_against_full_context() -> None:
    memory, full = Lifecycle(1000, 5, 0.5, 20), Lifecycle(0, 105, 0.6, 20)
    assert memory.break_even(full) == 10
    assert memory.multiple(full) == pytest.approx(5 / 105)
    assert Lifecycle(1000, 200, 0.5, 20).break_even(full) == math.inf
    assert Lifecycle(None, 5, 0.5, 20).break_even(full) is None
    assert memory.total(10) == full.total(10)


def usage(calls: int, prompt: int, completion: int, embedding: int, usd: float | None) -> Any:
    tokens = {"prompt": prompt, "completion": completion, "embedding": embedding}
    return {f"{kind}_tokens": n for kind, n in tokens.items()} | {"calls": calls, "usd": usd}


SUMMARY: dict[str, Any] = {
    "counts": {"cases": 2, "questions": 10},
    "metrics": {"f1": {"value": 0.4}},
    "time_s": {"ingest": {}, "recall": {}, "answer": {}},
    "cpu_s": {"ingest": 4.0, "recall": 1.0, "answer": 1.0},
    "usage": {
        "ingest": usage(3, 900, 90, 10, 2.0),
        "recall": usage(10, 0, 0, 50, 0.0),
        "answer": usage(10, 400, 50, 0, None),
    },
    "context_tokens": {"mean": 35.0},
    "energy": {"phases": {}},
}


def test_the_same_curves_exist_over_cpu_seconds_tokens_and_dollars() -> None:
    assert lifecycle_of(summary_of(**SUMMARY), COSTS["cpu_s"], "f1") == Lifecycle(
        2.0, 0.2, 0.4, 5.0
    )
    assert lifecycle_of(summary_of(**SUMMARY), COSTS["tokens"], "f1") == Lifecycle(
        500.0, 50.0, 0.4, 5.0
    )
    assert lifecycle_of(summary_of(**SUMMARY), COSTS["usd"], "f1") == Lifecycle(1.0, None, 0.4, 5.0)
    assert lifecycle_of(summary_of(**SUMMARY), COSTS["joules"], "f1") == Lifecycle(
        None, None, 0.4, 5.0
    )


def test_context_is_a_cost_of_its_own_and_no_token_of_a_model() -> None:
    local = {**SUMMARY, "usage": {**SUMMARY["usage"], "answer": usage(0, 0, 0, 0, 0.0)}}
    assert lifecycle_of(summary_of(**local), COSTS["tokens"], "f1").per_question == pytest.approx(5)
    assert lifecycle_of(summary_of(**local), COSTS["context_tokens"], "f1") == Lifecycle(
        0.0, 35.0, 0.4, 5.0
    )


# --- carbon ------------------------------------------------------------------------------------


def test_carbon_names_location_year_and_source() -> None:
    text = carbon(figure(3.6e6), intensity("fra"), pue=1.2).render()
    assert "FRA" in text
    assert str(intensity("FRA").year) in text
    assert "codecarbon" in text
    assert "measured" in text
    assert carbon(figure(3.6e6), intensity("FRA")).grams == intensity("FRA").g_per_kwh


def test_no_joules_no_grams() -> None:
    nothing = carbon(unavailable("no sensor"), intensity("DEU"))
    assert nothing.grams is None
    assert "unavailable" in nothing.render()


def test_an_unknown_country_is_named_and_a_pue_below_one_refused() -> None:
    with pytest.raises(UnknownName, match="XXX"):
        intensity("XXX")
    for pue in (0.5, math.nan, math.inf):
        with pytest.raises(UsageError, match="PUE"):
            carbon(figure(1.0), intensity("DEU"), pue=pue)
    assert len(intensities()) == 213


# --- estimates ---------------------------------------------------------------------------------


def estimate(**usage: Tokens) -> SampleLog | object:
    log = SampleLog(models=tuple(TokenEstimate().open(lambda: 0.0)))
    return attribute(log, [Span(0, 1, "answer", usage=usage), Span(1, 2, "recall")])


LLAMA = "hosted_vllm/meta-llama/Llama-3.1-8B-Instruct"


def test_prompt_and_completion_tokens_count_apart() -> None:
    known = table("H100")[model_key(LLAMA)]
    assert known.prompt.mid == pytest.approx(0.026)
    assert known.completion.low == pytest.approx(0.070, abs=0.005)
    assert known.completion.low < known.completion.mid < known.completion.high


def test_a_long_prompt_costs_what_its_prefill_does() -> None:
    known = table("H100")[model_key(LLAMA)]
    joules = known.prompt.mid * 115_000 + known.prompt_sq.mid * 115_000**2
    assert joules == pytest.approx(8_600, rel=0.05)


def test_tokens_of_a_published_model_are_estimated_with_a_wide_range() -> None:
    ledger = estimate(reader=Tokens(LLAMA, prompt=2000, prompt_sq=2000**2, completion=50))
    assert ledger.total.provenance is Provenance.ESTIMATED
    assert ledger.total.boundary == "remote_api"
    assert 50 < ledger.total.joules < 80
    assert ledger.total.u_joules > 0.3 * ledger.total.joules
    assert ledger.roles["answer"]["reader"].joules == ledger.phases["answer"].joules
    assert ledger.phases["recall"].joules == 0.0


@pytest.mark.parametrize("model", ["gpt-9", "meta-llama/Llama-3.1-8B", "Qwen3-8B", ""])
def test_an_unknown_model_is_unavailable_without_a_nearest_match(model: str) -> None:
    ledger = estimate(reader=Tokens(model, prompt=2000, completion=50))
    assert ledger.total.joules is None
    assert "no published coefficients" in ledger.total.method


def test_a_run_without_model_calls_has_no_estimate() -> None:
    ledger = estimate()
    assert ledger.total.joules is None
    assert ledger.phases["answer"].joules is None
