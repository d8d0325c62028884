"""What conformance found is stored beside the system, and is old when its version is another."""

from dataclasses import replace
from pathlib import Path

import pytest

from membench.adapters.card import SystemCard
from membench.adapters.registry import SYSTEMS, get_card, list_systems
from membench.cli.output.conformance import print_conformance
from membench.domain.errors import UsageError
from membench.testing.conformance import CheckResult, Report
from membench.testing.stored import read_stored, write_stored

REPORT = Report("bm25", "1", (CheckResult("isolation", "passed"), CheckResult("x", "skipped")))
CHECKED = {"native", "controllers", "baselines", "controls"}
STORED = [
    card
    for card in list_systems().values()
    if SYSTEMS in card.folder.parents and card.folder.parent.name in CHECKED
]


def test_what_is_written_is_read_until_the_version_is_another(tmp_path: Path) -> None:
    card = replace(get_card("bm25"), folder=tmp_path)
    write_stored(card, REPORT, card.replay)
    stored = read_stored(card)
    assert stored is not None
    assert (stored.results, stored.summary, stored.current) == (REPORT.results, "1 passed", True)
    newer = read_stored(replace(card, version="2"))
    assert newer is not None and newer.summary == "1 passed (outdated)"


def test_only_a_result_at_the_defaults_is_stored() -> None:
    with pytest.raises(UsageError, match="defaults"):
        print_conformance("bm25", {"tokenizer": "stem"}, write=True, as_json=False)


@pytest.mark.parametrize("card", STORED, ids=lambda card: card.name)
def test_every_system_of_ours_has_a_current_result_without_failure(card: SystemCard) -> None:
    stored = read_stored(card)
    assert stored is not None, f"membench conformance {card.name} --write"
    assert stored.current
    assert "failed" not in stored.summary
