"""A bundle whose files are not those it was verified with is no row, wherever a board is read."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from membench.cli import app
from membench.domain.errors import RunStateError, UnknownName, UsageError
from membench.leaderboard.store import index as index_module
from membench.leaderboard.store.index import refresh
from membench.leaderboard.store.store import BundleEntry, Store
from membench.leaderboard.validation import Verification, verify
from membench.leaderboard.views.bundles import load
from tests.leaderboard.conftest import Spoil


def lifted(bundle: Path) -> None:
    """A better figure, nothing else: SHA256SUMS, the badge and the sizes stay as they are."""
    summary = bundle / "summary.json"
    summary.write_text(summary.read_text().replace("0.1", "0.9", 1))


def cut(bundle: Path) -> None:
    """The end of a file is lost."""
    scores = bundle / "scores.jsonl.gz"
    scores.write_bytes(scores.read_bytes()[:-20])


def one_less(bundle: Path) -> None:
    """A file is lost."""
    (bundle / "texts.jsonl.gz").unlink()


def one_more(bundle: Path) -> None:
    """A file that no bundle has."""
    (bundle / "notes.txt").write_text("mine")


ALTERED = pytest.mark.parametrize("alter", [lifted, cut, one_less, one_more])
Alter = Callable[[Path], None]


@pytest.fixture
def store(tmp_path: Path, honest: Path, spoil: Spoil) -> Store:
    """A store with two badged rows, `story` and `other`, that was indexed."""
    filled = Store(tmp_path / "results")
    filled.add(honest, verify(honest), "alice")
    spoil.json("manifest.json", lambda m: m.update(run_id="other"))
    spoil.json("summary.json", lambda s: s.update(run_id="other"))
    filled.add(spoil.path, verify(spoil.path), "bob")
    assert sorted(refresh(filled).runs["run_id"]) == ["other", "story"]
    return filled


def bundle(store: Store) -> Path:
    """The one that is altered."""
    return store.root / "locomo" / "story"


def membench(*words: object) -> int:
    """Do a command in this process: its exit code, errors as they are raised."""
    command = typer.main.get_command(app)
    code = command.main([*map(str, words)], prog_name="membench", standalone_mode=False)
    return code or 0


@ALTERED
def test_the_index_leaves_it_out_and_says_why(store: Store, alter: Alter) -> None:
    alter(bundle(store))
    index = refresh(store)
    assert list(index.runs["run_id"]) == ["other"]
    assert index.problems["story"].startswith("refused: ")


@ALTERED
def test_it_is_verified_anew_and_refused_whatever_badge_it_has(store: Store, alter: Alter) -> None:
    alter(bundle(store))
    found = [(entry.run_id, result.accepted) for entry, result in store.verify_all(check=verify)]
    assert found == [("story", False)]


def test_bytes_that_changed_under_the_same_size_and_time_are_found_by_verifying(
    store: Store,
) -> None:
    summary = bundle(store) / "summary.json"
    before = summary.stat()
    lifted(bundle(store))
    os.utime(summary, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert [entry.run_id for entry, _ in store.verify_all(check=verify)] == ["story"]
    assert list(refresh(store).runs["run_id"]) == ["other"]


def test_a_bundle_that_was_mended_is_a_row_again(store: Store) -> None:
    summary = bundle(store) / "summary.json"
    honest = summary.read_bytes()
    lifted(bundle(store))
    list(store.verify_all(check=verify))
    summary.write_bytes(honest)
    assert [result.accepted for _, result in store.verify_all(check=verify)] == [True]
    assert sorted(refresh(store).runs["run_id"]) == ["other", "story"]
    assert list(store.verify_all(check=verify)) == []


def test_what_is_as_it_was_verified_is_neither_verified_nor_read_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(*_: object) -> object:
        raise AssertionError("read again")

    monkeypatch.setattr(index_module, "read_row", never)
    assert list(store.verify_all(check=never)) == []  # type: ignore[arg-type]
    assert len(refresh(store).runs) == 2


@ALTERED
def test_board_index_tells_of_it(
    store: Store, alter: Alter, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(bundle(store))
    assert membench("board", "index", "--no-verify", "--results", store.root) == 1
    told = capsys.readouterr()
    assert "story: left out: refused: " in told.err
    assert told.out == "1 row\n"


@ALTERED
def test_an_export_leaves_it_out_and_tells_of_it(
    store: Store, alter: Alter, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alter(bundle(store))
    site = tmp_path / "site"
    assert membench("leaderboard", "--results", store.root, "--export", site) == 1
    assert "story: left out: refused: " in capsys.readouterr().err
    assert [page.stem for page in (site / "runs").iterdir()] == ["other"]


@ALTERED
def test_a_page_that_was_read_before_does_not_show_it(store: Store, alter: Alter) -> None:
    assert load(store, "story").manifest.run_id == "story"
    alter(bundle(store))
    with pytest.raises(RunStateError, match="is refused: "):
        load(store, "story")


def test_a_bundle_that_goes_while_it_is_read_is_one_message(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = store.find("story")
    assert gone is not None
    monkeypatch.setattr(Store, "find", lambda self, run_id: gone)
    shutil.rmtree(gone.path)
    with pytest.raises(RunStateError, match="is neither a folder nor a file"):
        load(store, "story")


def test_a_bundle_that_goes_while_it_is_verified_is_left_out(store: Store) -> None:
    def removed_meanwhile(path: Path, data: Path | None) -> Verification:
        shutil.rmtree(path)
        return verify(path, data)

    assert list(store.verify_all(fresh=True, check=removed_meanwhile)) == []
    assert len(refresh(store).runs) == 0


def test_a_bundle_that_goes_while_the_index_is_made_hides_no_other(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = list(store.entries())
    monkeypatch.setattr(Store, "entries", lambda self: iter(entries))
    shutil.rmtree(bundle(store))
    assert list(refresh(store).runs["run_id"]) == ["other"]


@ALTERED
def test_it_can_be_withdrawn(store: Store, alter: Alter) -> None:
    alter(bundle(store))
    assert isinstance(store.find("story"), BundleEntry)
    store.withdraw("story", "me", "altered")
    assert [decision.run_id for decision in store.adjudications()] == ["story"]


# --- what is not there ---------------------------------------------------------------------------


BOARD = {
    "index": (),
    "withdraw": ("story", "--who", "me", "--why", "trial"),
    "grant": ("story", "reproduced", "--who", "me", "--why", "seen"),
    "sign": ("key.pem",),
    "check": ("--trust", "key"),
    "check-request": ("--base", "main"),
}


@pytest.mark.parametrize(("name", "rest"), BOARD.items(), ids=BOARD.keys())
def test_a_folder_that_is_not_there_is_no_empty_board(
    name: str, rest: tuple[str, ...], tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match="there is no folder"):
        membench("board", name, *rest, "--results", tmp_path / "nosuch")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "decide",
    [
        lambda store: store.withdraw("stroy", "me", "trial"),
        lambda store: store.grant("stroy", "reproduced", "me", "seen", ()),
    ],
    ids=["withdraw", "grant"],
)
def test_a_run_that_is_not_there_is_answered_with_the_nearest(
    decide: Callable[[Store], None], store: Store
) -> None:
    with pytest.raises(UnknownName, match="Did you mean 'story'"):
        decide(store)
