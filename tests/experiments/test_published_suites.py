"""The suites in results/ can be run by the commands of today."""

from __future__ import annotations

from pathlib import Path

import pytest

from membench.adapters.configured import configured_card
from membench.adapters.driven import driven_card
from membench.adapters.registry import checked_parameters, get_card
from membench.experiments.suite import cells, read_suite
from membench.harness.divisions import pinned
from membench.harness.prepare import check_roles
from membench.tasks.registry import get_task

ROOT = Path(__file__).parents[2]
SUITES = sorted((ROOT / "results" / "suites").glob("*.yaml"))


@pytest.mark.parametrize("file", SUITES, ids=lambda file: file.stem)
def test_every_run_of_a_published_suite_resolves(file: Path) -> None:
    for cell in cells(read_suite(file), Path("out")):
        spec = pinned(cell.spec)
        system = get_card(spec.system)
        parameters = checked_parameters(system, spec.set)
        check_roles(spec, configured_card(driven_card(system, parameters), parameters))
        card = get_task(spec.task).card
        assert spec.split is None or spec.split in card.splits, cell.label


def test_there_are_suites() -> None:
    assert len(SUITES) > 5
