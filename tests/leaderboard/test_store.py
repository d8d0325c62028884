"""The store keeps what it accepted, and the board alone says what it thinks of it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from membench.leaderboard.store.index import FOLDER, refresh
from membench.leaderboard.store.store import Store
from membench.leaderboard.validation import Rejected, verify
from membench.leaderboard.validation.rules import RuleViolation
from membench.testing.boards import BoardPlan, write_store
from tests.leaderboard.conftest import Spoil


@pytest.fixture
def store(tmp_path: Path, honest: Path) -> Store:
    """A store with one row."""
    filled = Store(tmp_path / "results")
    filled.add(honest, verify(honest), "alice")
    return filled


def test_an_accepted_bundle_lies_by_task_and_run(store: Store, honest: Path) -> None:
    assert (store.root / "locomo" / "story" / "manifest.json").is_file()
    badge = store.badge("story")
    assert badge is not None
    assert (badge["score"], badge["submitter"]) == ("re-scored", "alice")


def test_a_refused_bundle_leaves_nothing(tmp_path: Path, spoil: Spoil) -> None:
    spoil.raw("evil.txt", b"x")
    with pytest.raises(Rejected, match=r"wire\.name"):
        Store(tmp_path / "results").add(spoil.path, verify(spoil.path))
    assert not (tmp_path / "results").exists()


def test_a_bundle_that_is_damaged_while_it_is_taken_in_leaves_nothing(
    tmp_path: Path, honest: Path, copy: Path
) -> None:
    verification = verify(honest)
    (copy / "SHA256SUMS").unlink()
    with pytest.raises(RuleViolation):
        Store(tmp_path / "results").add(copy, verification)
    assert list((tmp_path / "results" / "locomo").iterdir()) == []


def test_the_same_bundle_twice_is_a_replay(store: Store, honest: Path) -> None:
    with pytest.raises(Rejected, match=r"identity\.replay"):
        store.add(honest, verify(honest))


def test_another_bundle_under_the_same_run_id_is_refused(store: Store, spoil: Spoil) -> None:
    spoil.json("manifest.json", lambda m: m["versions"].update(other="1"))
    with pytest.raises(Rejected, match=r"identity\.run"):
        store.add(spoil.path, verify(spoil.path))
    assert (
        json.loads((store.root / "locomo/story/manifest.json").read_text())["versions"].get("other")
        is None
    )


def test_run_ids_that_differ_in_case_alone_are_one(store: Store, spoil: Spoil) -> None:
    for name in ("manifest.json", "summary.json"):
        spoil.json(name, lambda content: content.update(run_id="Story"))
    with pytest.raises(Rejected, match=r"is in the store as locomo/story \[identity\.run\]"):
        store.add(spoil.path, verify(spoil.path))
    with pytest.raises(Rejected, match=r"identity\.run"):
        store._refuse_known("STORY", "another")


@pytest.mark.parametrize("place", ["locomo/copy", "copies/story", "locomo/Story"])
def test_a_copy_of_a_bundle_beside_it_is_one_row(store: Store, place: str) -> None:
    shutil.copytree(store.root / "locomo" / "story", store.root / place)
    for _ in range(2):
        assert list(refresh(store).runs["run_id"]) == ["story"]


def test_a_replay_under_another_name_is_the_same_run_and_refused(
    store: Store, honest: Path
) -> None:
    """The run id is inside the bundle: renaming a folder makes no other bundle."""
    renamed = honest.parent / "renamed"
    honest.rename(renamed)
    try:
        with pytest.raises(Rejected, match=r"identity\.replay"):
            store.add(renamed, verify(renamed))
    finally:
        renamed.rename(honest)


def test_the_index_can_be_thrown_away(store: Store) -> None:
    first = refresh(store)
    for file in (store.root / FOLDER).iterdir():
        file.unlink()
    again = refresh(store)
    assert first.runs.equals(again.runs)
    assert first.stamp == again.stamp


def test_only_new_bundles_are_read_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from membench.leaderboard.store import index

    store = Store(tmp_path)
    write_store(tmp_path, BoardPlan(runs=3, questions=20))
    refresh(store)
    read: list[str] = []
    honest_read = index.read_row
    monkeypatch.setattr(
        index, "read_row", lambda s, entry: (read.append(entry.run_id), honest_read(s, entry))[1]
    )
    write_store(tmp_path / "more", BoardPlan(runs=4, questions=20))
    (tmp_path / "more/locomo/20260101T000000Z-made-up-00003").rename(
        tmp_path / "locomo/20260101T000000Z-made-up-00003"
    )
    (tmp_path / "more/badges/20260101T000000Z-made-up-00003.json").rename(
        tmp_path / "badges/20260101T000000Z-made-up-00003.json"
    )
    assert len(refresh(store).runs) == 4
    assert read == ["20260101T000000Z-made-up-00003"]


def test_an_empty_store_has_an_empty_index(tmp_path: Path) -> None:
    assert len(refresh(Store(tmp_path / "nothing")).runs) == 0


def test_withdrawn_rows_stay_as_tombstones(store: Store) -> None:
    store.withdraw("story", "the maintainers", "asked for by its submitter", remove=True)
    runs = refresh(store).runs
    assert list(runs["run_id"]) == ["story"]
    assert bool(runs["withdrawn"].iloc[0])
    assert store.find("story") is None
    assert [d.why for d in store.adjudications()] == ["asked for by its submitter"]


def test_decisions_are_appended_and_the_last_one_counts(store: Store) -> None:
    store.grant("story", "reproduced", "the maintainers", "ran it again", ("other",))
    store.withdraw("story", "the maintainers", "wrong data")
    assert len((store.root / "adjudications.jsonl").read_text().splitlines()) == 2
    row = refresh(store).runs.iloc[0]
    assert row["score"] == "reproduced"
    assert bool(row["withdrawn"])


def test_a_folder_that_is_no_bundle_hides_no_other(store: Store, copy: Path) -> None:
    """A pull request may bring any file, a badge of its own among them."""
    (copy / "badge.json").write_text('{"score": "reproduced"}')
    copy.rename(store.root / "locomo" / "forged")
    index = refresh(store)
    assert list(index.runs["run_id"]) == ["story"]
    assert "wire.name" in index.problems["forged"]


def test_a_badge_of_other_content_does_not_count(store: Store) -> None:
    path = store.root / "badges" / "story.json"
    badge = json.loads(path.read_text())
    badge["bundle_sha256"] = "0" * 64
    path.write_text(json.dumps(badge))
    assert refresh(store).runs["score"].iloc[0] == "unchecked"


def test_verify_all_badges_what_came_by_pull_request(tmp_path: Path, honest: Path) -> None:
    import shutil

    store = Store(tmp_path)
    shutil.copytree(honest, tmp_path / "locomo" / "story")
    assert refresh(store).runs["score"].iloc[0] == "unchecked"
    assert [result.accepted for _, result in store.verify_all(check=verify)] == [True]
    assert refresh(store).runs["score"].iloc[0] == "re-scored"
    assert list(store.verify_all(check=verify)) == []


def test_attempts_of_a_configuration_are_counted_and_the_median_stands_for_all(
    tmp_path: Path,
) -> None:
    from membench.leaderboard.views.board.board import board
    from membench.leaderboard.views.board.query import BoardQuery

    write_store(tmp_path, BoardPlan(runs=3, questions=50, systems=1, alike=True))
    index = refresh(Store(tmp_path))
    scores = sorted(
        index.figures[index.figures["name"] == "evidence.turn.recall@10"]["value"].tolist()
    )
    (row,) = board(index, BoardQuery()).rows
    assert row.attempts == 3
    assert row.score is not None
    assert row.score.value == scores[1]


def test_content_under_two_names_is_remarked_upon(tmp_path: Path) -> None:
    import hashlib

    from membench.leaderboard.bundles.bundle import checksums

    ids = write_store(tmp_path, BoardPlan(runs=3, questions=20))
    for run_id in ids[:2]:
        badge_file = tmp_path / "badges" / f"{run_id}.json"
        badge = json.loads(badge_file.read_text())
        badge["summary"]["content_sha256"] = "c" * 64
        badge_file.write_text(json.dumps(badge))
        folder = tmp_path / "locomo" / run_id
        files = {f.name: f.read_bytes() for f in folder.iterdir() if f.name != "SHA256SUMS"}
        assert hashlib.sha256(checksums(files)).hexdigest() == badge["bundle_sha256"]
    flags = dict(refresh(Store(tmp_path)).runs[["run_id", "flags"]].itertuples(index=False))
    assert ["flag.copy" in flags[run_id] for run_id in ids] == [True, True, False]
