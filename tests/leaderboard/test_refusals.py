"""A bundle that broke a rule is written down, never shown, and keeps no other from being shown."""

from __future__ import annotations

import shutil
from pathlib import Path

import orjson
import pytest

from membench.domain.errors import DataError
from membench.leaderboard import validation
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import verify
from tests.leaderboard.conftest import Spoil


@pytest.fixture
def store(tmp_path: Path, honest: Path) -> Store:
    """A store with one badged row."""
    filled = Store(tmp_path / "results")
    filled.add(honest, verify(honest), "alice")
    return filled


def put(store: Store, bundle: Path, run_id: str) -> None:
    """Put a bundle beside the others, as a pull request does."""
    shutil.copytree(bundle, store.root / "locomo" / run_id)


def lift(spoil: Spoil) -> None:
    """A better score in the summary alone."""
    better = {"value": 0.99, "ci95": [0.9, 1.0], "n": 32, "clusters": 2}
    spoil.json("summary.json", lambda s: s["metrics"].update(f1=better))


def test_rescore_metric_a_refused_bundle_is_written_down_and_is_no_row(
    store: Store, spoil: Spoil
) -> None:
    lift(spoil)
    put(store, spoil.path, "forged")
    (entry, result), *_ = store.verify_all(check=verify)
    assert (entry.run_id, result.accepted) == ("forged", False)
    written = orjson.loads((store.root / "refusals" / "forged.json").read_bytes())
    assert written["rules"] == ["rescore.metric"]
    assert len(written["bundle_sha256"]) == 64
    index = refresh(store)
    assert list(index.runs["run_id"]) == ["story"]
    assert "rescore.metric" in index.problems["forged"]


def test_a_row_that_was_listed_goes_when_its_bundle_is_refused(store: Store, spoil: Spoil) -> None:
    lift(spoil)
    spoil.json("manifest.json", lambda m: m.update(run_id="forged"))
    spoil.json("summary.json", lambda s: s.update(run_id="forged"))
    put(store, spoil.path, "forged")
    assert sorted(refresh(store).runs["run_id"]) == ["forged", "story"]
    list(store.verify_all(check=verify))
    assert list(refresh(store).runs["run_id"]) == ["story"]


def test_schema_summary_a_bundle_without_a_badge_must_fit_the_schema_to_be_listed(
    store: Store, spoil: Spoil
) -> None:
    spoil.json("summary.json", lambda s: s.update(rank=1))
    put(store, spoil.path, "odd")
    index = refresh(store)
    assert list(index.runs["run_id"]) == ["story"]
    assert "schema.summary" in index.problems["odd"]


def test_what_nobody_could_check_is_told_apart_from_what_rests_on_a_claim(
    tmp_path: Path, honest: Path
) -> None:
    put(Store(tmp_path), honest, "story")
    assert list(refresh(Store(tmp_path)).runs["score"]) == ["unchecked"]


def test_a_refusal_is_of_one_content(store: Store, spoil: Spoil, tmp_path: Path) -> None:
    spoil.json("manifest.json", lambda m: m.update(run_id="later"))
    spoil.json("summary.json", lambda s: s.update(run_id="later"))
    good = Path(shutil.copytree(spoil.path, tmp_path / "good"))
    lift(spoil)
    put(store, spoil.path, "later")
    list(store.verify_all(check=verify))
    shutil.rmtree(store.root / "locomo" / "later")
    put(store, good, "later")
    list(store.verify_all(check=verify))
    assert not (store.root / "refusals" / "later.json").exists()
    assert sorted(refresh(store).runs["run_id"]) == ["later", "story"]


@pytest.mark.parametrize("error", [TypeError("a list"), KeyError("x"), DataError("f", "p", "odd")])
def test_check_ended_whatever_a_check_raises_is_a_finding_of_its_bundle(
    error: Exception, store: Store, honest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> list[object]:
        raise error

    monkeypatch.setattr(validation, "range_findings", broken)
    put(store, honest, "bomb")
    assert verify(honest).findings[0].rule == "check.ended"
    assert [r.findings[0].rule for _, r in store.verify_all(check=verify)] == ["check.ended"]
    assert list(refresh(store).runs["run_id"]) == ["story"]


def test_rows_of_one_configuration_by_two_submitters_are_two_rows(
    store: Store, spoil: Spoil
) -> None:
    """Nobody moves the median of another: attempts are pooled by submitter."""
    from membench.leaderboard.views.board.board import board
    from membench.leaderboard.views.board.query import BoardQuery

    for number in range(2):
        spoil.json("manifest.json", lambda m, n=number: m.update(run_id=f"bad{n}"))
        spoil.json("summary.json", lambda s, n=number: s.update(run_id=f"bad{n}"))
        store.add(spoil.path, verify(spoil.path), "mallory")
    rows = board(refresh(store), BoardQuery(task="locomo:sample")).rows
    assert sorted((row.label, row.attempts) for row in rows) == [
        ("bm25 by alice", 1),
        ("bm25 by mallory", 2),
    ]
