"""What a run's energy comes to, as lines for people: from its summary and its manifest.

Every line with joules has their label; a check is pass, fail or not run.
"""

from __future__ import annotations

import math

from membench.domain.labels import JsonView
from membench.energy.carbon import Intensity, carbon
from membench.energy.figure import EnergyFigure, figure_of, power_text, summary_text
from membench.energy.reporting.metrics import EnergyMetrics, energy_metrics
from membench.metrics.numbers import significant
from membench.records.costs import MAIN_COSTS
from membench.records.energy_summary import EnergySummary
from membench.records.lifecycle import break_even_text, lifecycle_of
from membench.records.summary import Summary


def components_of(energy: EnergySummary) -> str:
    """The components whose joules a run counted, joined by `+`; `cpu` without a source."""
    named = {source["component"] for source in energy.sources if "component" in source}
    return "+".join(sorted(named)) or "cpu"


def phase_figure(energy: EnergySummary, phase: str) -> EnergyFigure:
    """The figure of one phase, from the energy of a summary."""
    entry = energy.phases.get(phase)
    total = None if entry is None else entry.total
    return figure_of(total, components_of(energy), f"{phase} unavailable")


def phase_figures(energy: EnergySummary) -> dict[str, EnergyFigure]:
    """Figures by phase, from the energy of a summary."""
    return {phase: phase_figure(energy, phase) for phase in energy.phases}


def metrics_of(summary: Summary, metric: str) -> EnergyMetrics:
    """A run's joules in the units people ask for.

    Args:
        summary: The run's summary.
        metric: The metric that counts as accuracy.
    """
    found = summary.metrics.get(metric)
    return energy_metrics(
        phase_figures(summary.energy),
        cases=summary.counts.cases,
        questions=summary.counts.questions,
        ingested_tokens=summary.costs.tokens or 0,
        accuracy=None if found is None else found.value,
    )


def energy_lines(
    summary: Summary,
    report: JsonView | None,
    metric: str,
    *,
    against: Summary | None = None,
    grid: Intensity | None = None,
    pue: float = 1.0,
) -> list[str]:
    """Everything about a run's energy, line by line.

    Args:
        summary: The run's summary.
        report: The manifest's `energy`; None for a run without one.
        metric: The metric that counts as accuracy.
        against: Summary of full context on the same machine, to compare with.
        grid: Where the electricity came from; None for no carbon.
        pue: Power usage effectiveness of the data centre.
    """
    energy, metrics = summary.energy, metrics_of(summary, metric)
    lines = [f"{name:>13}  {text}" for name, text in _ledger(energy, report)]
    lines += ["", *metrics.lines()]
    if against is not None:
        lines += ["", *_comparison(summary, against, metric)]
    if grid is not None:
        lines += ["", f"per question: {carbon(metrics.per_question, grid, pue).render()}"]
    return [*lines, "", *_checks(report)]


def _ledger(energy: EnergySummary, report: JsonView | None) -> list[tuple[str, str]]:
    rows = [("total", summary_text(energy.total))]
    rows += [
        (phase, summary_text(entry.total) + _power(report, phase))
        for phase, entry in energy.phases.items()
    ]
    rest = {"idle": energy.idle, "unattributed": energy.unattributed, "judge": energy.judge}
    return [*rows, *((name, summary_text(entry)) for name, entry in rest.items())]


def _power(report: JsonView | None, phase: str) -> str:
    """Mean watts and concurrency: a serial caller is billed idle hours."""
    found = (report or {}).get("phases", {}).get(phase, {})
    if found.get("mean_watts") is None:
        return ""
    return f"  {power_text(found['mean_watts'], found['concurrency'])}"


def _comparison(summary: Summary, against: Summary, metric: str) -> list[str]:
    """Multiple of the other run per question, and break-even, in every cost that both know."""
    lines = []
    for cost in MAIN_COSTS:
        own, other = (lifecycle_of(run, cost, metric) for run in (summary, against))
        multiple, pays_off = own.multiple(other), own.break_even(other)
        if multiple is None or pays_off is None:
            continue
        label = f" ({summary.energy.total.provenance})" if cost.id == "joules" else ""
        when = "never" if math.isinf(pays_off) else f"from {break_even_text(pays_off)}"
        lines.append(
            f"{cost.id}{label}: {significant(multiple)} times {against.system} per question; "
            f"pays off {when} of a history"
        )
    return lines or [f"nothing to compare with {against.system}"]


def _checks(report: JsonView | None) -> list[str]:
    if not report or "checks" not in report:
        return ["not verified: no energy was attributed"]
    lines = [f"{c['status']:>7}  {c['name']}: {c['detail']}" for c in report["checks"]]
    return [*lines, "verified" if report.get("verified") else "not verified"]
