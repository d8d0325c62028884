"""`membench energy show`."""

from __future__ import annotations

from pathlib import Path

from membench.cli.output.console import out
from membench.energy.carbon import intensity
from membench.energy.reporting.report import energy_lines
from membench.harness.places import open_run_or_bundle
from membench.tasks.registry import get_task


def print_energy(path: Path, against: Path | None, country: str, pue: float) -> None:
    """Print the energy of a run, line by line, every joule with its label."""
    run = open_run_or_bundle(path)
    summary = run.summary()
    card = get_task(summary.task).card
    judged = summary.metrics.get(card.main_metric)
    known = judged is not None and judged.value is not None
    lines = energy_lines(
        summary,
        run.manifest().energy,
        card.main_metric if known else card.offline_metric,
        against=open_run_or_bundle(against).summary() if against else None,
        grid=intensity(country) if country else None,
        pue=pue,
    )
    for line in lines:
        out().print(line, markup=False)
