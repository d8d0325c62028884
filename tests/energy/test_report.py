"""A run's energy as lines: every joule with its label, every check with its state."""

from __future__ import annotations

import re
from typing import Any

import pytest
from records.summaries import summary_of

from energy.fakes import log_of, span, steady
from membench.energy.attribution.ledger import attribute
from membench.energy.carbon import intensity
from membench.energy.reporting.report import energy_lines, metrics_of
from membench.energy.samples import SampleLog
from membench.energy.verification.validity import validate
from membench.records.summary import Summary


def run(
    watts: float = 100.0, system: str = "memory", *, sampled: bool = True
) -> tuple[Summary, Any]:
    """Summary and manifest report of a run of one history and ten questions."""
    log = log_of(steady(watts, 60)) if sampled else SampleLog(selection=("nvml: no driver",))
    spans = [span(0, 20, cpu_s=2.0), span(20, 30, "recall", cpu_s=1.0)]
    ledger = attribute(log, spans)
    checks = validate(ledger, log, spans)
    usage = {"calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "embedding_tokens": 0}
    summary = summary_of(
        system=system,
        counts={"cases": 1, "questions": 10},
        ingested={"turns": 5, "tokens": 4000},
        metrics={"f1": {"value": 0.5}},
        time_s={"ingest": {}, "recall": {}},
        cpu_s={"ingest": 2.0, "recall": 1.0},
        usage={phase: {**usage, "usd": 0.0} for phase in ("ingest", "recall")},
        context_tokens={"mean": 100.0},
        energy=ledger.summary().to_json(),
    )
    lines = [{"name": c.name, "status": c.status, "detail": c.detail} for c in checks]
    return summary, {**ledger.report(), "checks": lines, "verified": False}


def test_metrics_come_from_the_summary() -> None:
    summary, _ = run()
    metrics = metrics_of(summary, "f1")
    assert metrics.per_question.joules == pytest.approx(100)
    assert metrics.per_1k_ingested.joules == pytest.approx(500)
    assert metrics.lifecycle.per_correct(10) == pytest.approx((2000 + 1000) / 5)


def test_every_line_with_a_unit_of_energy_names_a_label() -> None:
    for sampled in (True, False):
        summary, report = run(sampled=sampled)
        for line in energy_lines(summary, report, "f1", grid=intensity("DEU")):
            if re.search(r"\d [kM]?J\b", line):
                assert re.search("measured|modelled|estimated", line), line


def test_mean_watts_concurrency_and_checks_are_shown() -> None:
    text = "\n".join(energy_lines(*run(), "f1"))
    assert "mean 100 W, 1 in flight" in text
    assert "not run  repeatable: 0 of 3 repeats" in text
    assert text.endswith("not verified")


def test_a_run_is_compared_with_full_context_in_every_cost_that_both_know() -> None:
    summary, report = run(100)
    full, _ = run(400, "full_context")
    text = "\n".join(energy_lines(summary, report, "f1", against=full))
    assert "joules (measured): 0.250 times full_context per question" in text
    assert "cpu_s: 1.00 times full_context per question; pays off from question 1" in text
    assert "usd" not in text


def test_carbon_stands_after_the_energy_with_place_year_and_source() -> None:
    text = "\n".join(energy_lines(*run(), "f1", grid=intensity("FRA"), pue=1.2))
    assert text.index("J/question") < text.index("gCO2e")
    assert re.search(r"gCO2e measured \(FRA \d{4}, codecarbon 3.3.2, PUE 1.2\)", text)


def test_a_run_without_sensors_shows_no_number_of_joules() -> None:
    summary, _ = run(sampled=False)
    lines = energy_lines(summary, None, "f1")
    assert not [line for line in lines if re.search(r"\d [kM]?J\b", line)]
    assert lines[-1] == "not verified: no energy was attributed"
